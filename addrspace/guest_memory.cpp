// Bulk reads and writes, made of spans.
#include "addrspace/guest_memory.h"

#include <algorithm>
#include <cstring>
#include <string_view>

namespace nestling {

std::string describe(const MemoryFault& fault) {
  const auto text = [&]() -> std::string_view {
    switch (fault.reason) {
      case MemoryFault::Reason::kUnmapped:
        return "no guest memory at";
      case MemoryFault::Reason::kDenied:
        return "guest memory refuses the access at";
      case MemoryFault::Reason::kNotPopulated:
        return "guest memory is not populated at";
      case MemoryFault::Reason::kOutOfMemory:
        return "no memory left to populate guest memory at";
      case MemoryFault::Reason::kMisaligned:
        return "misaligned atomic access of guest memory at";
    }
    return "?";
  };
  return fmt::format("{} {:#x}", text(), fault.address.value());
}

void SpanList::append(std::span<std::byte> bytes) {
  if (bytes.empty()) {
    return;
  }
  std::span<std::byte>* last = nullptr;
  if (!overflow_.empty()) {
    last = &overflow_.back();
  } else if (count_ != 0) {
    last = &inline_.at(count_ - 1);
  }
  if (last != nullptr && last->data() + last->size() == bytes.data()) {
    *last = {last->data(), last->size() + bytes.size()};
    return;
  }
  if (overflow_.empty() && count_ < kInline) {
    inline_.at(count_++) = bytes;
    return;
  }
  if (overflow_.empty()) {
    overflow_.assign(inline_.begin(), inline_.end());
  }
  overflow_.push_back(bytes);
}

namespace {

/// The range that starts at `start`; a wrap is a fault at the first byte, as it is for hardware.
Result<GuestPhysRange, MemoryFault> range_at(GuestPhysAddr start, std::size_t size) {
  const auto range = GuestPhysRange::make(start, size);
  if (!range) {
    return failure(MemoryFault{MemoryFault::Reason::kUnmapped, start});
  }
  return *range;
}

}  // namespace

Result<void, MemoryFault> GuestMemory::read(GuestPhysAddr start, std::span<std::byte> out) {
  const auto range = range_at(start, out.size());
  if (!range) {
    return failure(range.error());
  }
  const auto pieces = spans(*range, Access::read());
  if (!pieces) {
    return failure(pieces.error());
  }
  for (const std::span<std::byte> piece : pieces->spans()) {
    std::memcpy(out.data(), piece.data(), piece.size());
    out = out.subspan(piece.size());
  }
  return {};
}

Result<void, MemoryFault> GuestMemory::write(GuestPhysAddr start,
                                             std::span<const std::byte> bytes) {
  const auto range = range_at(start, bytes.size());
  if (!range) {
    return failure(range.error());
  }
  const auto pieces = spans(*range, Access::write());
  if (!pieces) {
    return failure(pieces.error());
  }
  for (const std::span<std::byte> piece : pieces->spans()) {
    std::memcpy(piece.data(), bytes.data(), piece.size());
    bytes = bytes.subspan(piece.size());
  }
  return {};
}

Result<void, MemoryFault> GuestMemory::zero(GuestPhysRange range) {
  const auto pieces = spans(range, Access::write());
  if (!pieces) {
    return failure(pieces.error());
  }
  for (const std::span<std::byte> piece : pieces->spans()) {
    std::memset(piece.data(), 0, piece.size());
  }
  return {};
}

}  // namespace nestling
