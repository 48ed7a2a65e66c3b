// A list of aliases, which are few.
#include "vmm/memory/frame_pins.h"

namespace nestling {

Result<void> FramePins::permits(const ViewChange& change) {
  const bool takes_away =
      change.kind == ViewChange::Kind::kUnmap || change.kind == ViewChange::Kind::kDiscard;
  if (!takes_away || change.backend != Backend::kAlloc) {
    return {};
  }
  const HostPhysRange frames = HostPhysRange::of(change.host, change.range.size());
  for (const Pin& pin : pins_) {
    if (pin.frames.overlaps(frames)) {
      return failure(make_error(ErrorKind::kUsage,
                                "frames of guest memory at {:#x}, {:#x} bytes, are shown at {:#x} "
                                "too; unmap that first",
                                change.range.start().value(), change.range.size(),
                                pin.alias.start().value()));
    }
  }
  return {};
}

void FramePins::changed(const ViewChange& change) {
  if (change.backend != Backend::kLinear) {
    return;
  }
  if (change.kind == ViewChange::Kind::kMap) {
    pins_.push_back({HostPhysRange::of(change.host, change.range.size()), change.range});
    return;
  }
  if (change.kind != ViewChange::Kind::kUnmap) {
    return;
  }
  // Part of an alias may go: what is left of it stays pinned.
  std::vector<Pin> left;
  for (const Pin& pin : pins_) {
    const auto gone = pin.alias.intersection(change.range);
    if (!gone) {
      left.push_back(pin);
      continue;
    }
    const auto keep = [&](GuestPhysAddr from, std::uint64_t size) {
      if (size != 0) {
        const HostPhysAddr host(pin.frames.start().value() + from.offset_from(pin.alias.start()));
        left.push_back({HostPhysRange::of(host, size), GuestPhysRange::of(from, size)});
      }
    };
    keep(pin.alias.start(), gone->start().offset_from(pin.alias.start()));
    const std::uint64_t behind = pin.alias.last().offset_from(gone->last());
    keep(pin.alias.start() + (pin.alias.size() - behind), behind);
  }
  pins_ = std::move(left);
}

}  // namespace nestling
