// Reading a guest through its own page tables.
#include "vmm/x86_64/guest_view.h"

#include <algorithm>

namespace nestling::x86_64 {

namespace {

constexpr std::uint64_t kAlignmentCheck = 1ULL << 18;
constexpr std::uint64_t kEferLongModeActive = 1ULL << 10;

}  // namespace

GuestView::GuestView(const CpuState& cpu, GuestMemory& memory, const PagingFeatures& features)
    : cpu_(cpu),
      memory_(memory),
      tables_(memory),
      paging_{.cr0 = cpu.cr0,
              .cr3 = cpu.cr3,
              .cr4 = cpu.cr4,
              .efer = cpu.efer,
              .alignment_check = (cpu.rflags & kAlignmentCheck) != 0,
              .features = features} {}

CodeSize GuestView::code_size() const {
  if ((cpu_.efer & kEferLongModeActive) != 0 && cpu_.cs.long_mode) {
    return CodeSize::k64;
  }
  return cpu_.cs.default_big ? CodeSize::k32 : CodeSize::k16;
}

GuestVirtAddr GuestView::instruction() const {
  return code_size() == CodeSize::k64
             ? GuestVirtAddr(cpu_.rip)
             : GuestVirtAddr((cpu_.cs.base + (cpu_.rip & 0xffff'ffff)) & 0xffff'ffff);
}

GuestVirtAddr GuestView::stack() const {
  if (code_size() == CodeSize::k64) {
    return GuestVirtAddr(cpu_.rsp);
  }
  const std::uint64_t mask = cpu_.ss.default_big ? 0xffff'ffff : 0xffff;
  return GuestVirtAddr((cpu_.ss.base + (cpu_.rsp & mask)) & 0xffff'ffff);
}

GuestWalk GuestView::walk(GuestVirtAddr address, AccessKind kind) {
  const Privilege privilege = privilege_level() == 3 ? Privilege::kUser : Privilege::kSupervisor;
  return x86_64::walk(tables_, paging_, address, {.kind = kind, .privilege = privilege});
}

GuestWalk GuestView::walk_as_system(GuestVirtAddr address, AccessKind kind) {
  PagingState implicit = paging_;
  implicit.alignment_check = false;
  return x86_64::walk(tables_, implicit, address,
                      {.kind = kind, .privilege = Privilege::kSupervisor});
}

std::optional<GuestPhysAddr> GuestView::physical(GuestVirtAddr address) {
  // A supervisor's read with SMAP lifted is refused by nothing but a protection key, and keys
  // are not looked at with PKRU 0.
  PagingState lenient = paging_;
  lenient.alignment_check = true;
  const GuestWalk found = x86_64::walk(tables_, lenient, address, {});
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

}  // namespace nestling::x86_64
