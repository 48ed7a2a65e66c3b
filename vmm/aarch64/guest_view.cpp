// Reading a guest through its own page tables.
#include "vmm/aarch64/guest_view.h"

#include <algorithm>

namespace nestling::aarch64 {

GuestWalk GuestView::walk(GuestVirtAddr address, AccessKind kind) {
  const Privilege privilege = cpu_.is_user() ? Privilege::kUser : Privilege::kSupervisor;
  return aarch64::walk(tables_, translation_, address, {.kind = kind, .privilege = privilege});
}

std::optional<GuestPhysAddr> GuestView::physical(GuestVirtAddr address) {
  // EL1 may read whatever is mapped, but for PAN and for pages without the access flag.
  TranslationState lenient = translation_;
  lenient.pan = false;
  lenient.features.hardware_flags = true;
  lenient.tcr |= kTcrHardwareAccess;
  const GuestWalk found = aarch64::walk(tables_, lenient, address, {});
  return found.outcome ? std::optional(found.outcome->gpa) : std::nullopt;
}

std::size_t GuestView::read(GuestVirtAddr address, std::span<std::byte> out) {
  std::size_t done = 0;
  while (done < out.size()) {
    const std::optional<GuestVirtAddr> at = address.plus(done);
    const std::optional<GuestPhysAddr> gpa = at ? physical(*at) : std::nullopt;
    if (!gpa) {
      break;
    }
    const std::size_t length =
        std::min<std::size_t>(out.size() - done, kPageSize - gpa->value() % kPageSize);
    if (!memory_.read(*gpa, out.subspan(done, length))) {
      break;
    }
    done += length;
  }
  return done;
}

bool GuestView::has_memory_at(GuestPhysAddr address) {
  return memory_.read_object<std::uint8_t>(address).has_value();
}

}  // namespace nestling::aarch64
