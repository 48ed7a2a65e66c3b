// Dispatch by binary search, and the byte-wise path for accesses that straddle an edge.
#include "devices/bus.h"

#include <algorithm>
#include <utility>

namespace nestling {

template <typename AddressType>
Result<void> Bus<AddressType>::attach(std::string name, Range<AddressType> range, Device& device) {
  if (range.is_empty()) {
    return failure(make_error(ErrorKind::kBug, "device {} has no addresses", name));
  }
  for (const Attachment& other : attachments_) {
    if (other.range.overlaps(range)) {
      return failure(make_error(ErrorKind::kBug, "device {} at {:#x}..{:#x} overlaps {}", name,
                                range.start().value(), range.last().value(), other.name));
    }
  }
  const auto behind =
      std::find_if(attachments_.begin(), attachments_.end(),
                   [&](const Attachment& each) { return each.range.start() > range.start(); });
  attachments_.insert(behind, {std::move(name), range, &device});
  return {};
}

template <typename AddressType>
const typename Bus<AddressType>::Attachment* Bus<AddressType>::find(AddressType address) const {
  const auto behind = std::upper_bound(
      attachments_.begin(), attachments_.end(), address,
      [](AddressType wanted, const Attachment& each) { return wanted < each.range.start(); });
  if (behind == attachments_.begin() || !std::prev(behind)->range.contains(address)) {
    return nullptr;
  }
  return &*std::prev(behind);
}

template <typename AddressType>
typename Bus<AddressType>::Outcome Bus<AddressType>::read(AddressType address,
                                                          AccessWidth width) const {
  using Claimed = typename Outcome::Claimed;
  const Attachment* whole = find(address);
  const auto wanted = Range<AddressType>::make(address, width.bytes());
  if (whole != nullptr && wanted && whole->range.contains(*wanted)) {
    return {whole->device->read(address.offset_from(whole->range.start()), width), Claimed::kAll};
  }
  Outcome outcome{.value = 0, .claimed = Claimed::kNone};
  unsigned claimed = 0;
  for (unsigned i = 0; i < width.bytes(); ++i) {
    const auto at = address.plus(static_cast<typename AddressType::Raw>(i));
    const Attachment* owner = at ? find(*at) : nullptr;
    std::uint64_t byte = 0xff;
    if (owner != nullptr) {
      byte = owner->device->read(at->offset_from(owner->range.start()), AccessWidth::of(1)) & 0xff;
      ++claimed;
    }
    outcome.value |= byte << (8 * i);
  }
  if (claimed != 0) {
    outcome.claimed = claimed == width.bytes() ? Claimed::kAll : Claimed::kSome;
  }
  return outcome;
}

template <typename AddressType>
typename Bus<AddressType>::Outcome Bus<AddressType>::write(AddressType address, AccessWidth width,
                                                           std::uint64_t value) const {
  using Claimed = typename Outcome::Claimed;
  const Attachment* whole = find(address);
  const auto wanted = Range<AddressType>::make(address, width.bytes());
  if (whole != nullptr && wanted && whole->range.contains(*wanted)) {
    whole->device->write(address.offset_from(whole->range.start()), width, value);
    return {value, Claimed::kAll};
  }
  unsigned claimed = 0;
  for (unsigned i = 0; i < width.bytes(); ++i) {
    const auto at = address.plus(static_cast<typename AddressType::Raw>(i));
    const Attachment* owner = at ? find(*at) : nullptr;
    if (owner != nullptr) {
      owner->device->write(at->offset_from(owner->range.start()), AccessWidth::of(1),
                           (value >> (8 * i)) & 0xff);
      ++claimed;
    }
  }
  if (claimed == 0) {
    return {value, Claimed::kNone};
  }
  return {value, claimed == width.bytes() ? Claimed::kAll : Claimed::kSome};
}

template class Bus<Port>;
template class Bus<GuestPhysAddr>;

}  // namespace nestling
