// Translating with the registers of a vCPU that has just exited.
#include <cpuid.h>

#include <cstring>
#include <span>

#include "vmm/architecture.h"
#include "vmm/kvm_api.h"
#include "vmm/kvm_system.h"
#include "vmm/live_walk.h"
#include "vmm/x86_64/paging_features.h"
#include "vmm/x86_64/vcpu_state.h"

namespace nestling {

namespace {

/// PKRU, as XSAVE keeps it (Intel SDM volume 1, "Managing State Using the XSAVE Feature Set"); 0,
/// which allows everything, where the host does not tell.
std::uint32_t protection_keys(const Vcpu& vcpu) {
  constexpr unsigned kStateLeaf = 0xd;
  constexpr unsigned kPkru = 9;
  constexpr std::size_t kStateBitmap = 512;
  unsigned size = 0;
  unsigned offset = 0;
  unsigned unused = 0;
  kvm_xsave state{};
  if (__get_cpuid_count(kStateLeaf, kPkru, &size, &offset, &unused, &unused) == 0 ||
      size < sizeof(std::uint32_t) || offset > sizeof state - sizeof(std::uint32_t) ||
      kvm_ioctl(vcpu.fd(), KVM_GET_XSAVE, &state) != 0) {
    return 0;
  }
  const auto bytes = std::as_bytes(std::span(&state, 1));
  std::uint64_t present = 0;
  std::memcpy(&present, &bytes[kStateBitmap], sizeof present);
  std::uint32_t keys = 0;
  if ((present >> kPkru & 1) != 0) {
    std::memcpy(&keys, &bytes[offset], sizeof keys);
  }
  return keys;
}

std::uint64_t code_of(const x86_64::PagingFault& fault) {
  return fault.kind == x86_64::PagingFault::Kind::kPageFault ? fault.error_code
                                                             : GuestTranslation::kNotAPageFault;
}

}  // namespace

GuestTranslation translate_live(const Vcpu& vcpu, AddressSpace& space, GuestVirtAddr address,
                                GuestAccess access) {
  constexpr std::uint64_t kAlignmentCheck = 1ULL << 18;
  const auto cpu = x86_64::read_cpu_state(vcpu);
  if (!cpu) {
    return {};
  }
  const x86_64::PagingState state{
      .cr0 = cpu->cr0,
      .cr3 = cpu->cr3,
      .cr4 = cpu->cr4,
      .efer = cpu->efer,
      .alignment_check = (cpu->rflags & kAlignmentCheck) != 0,
      .pkru = (cpu->cr4 & x86_64::kCr4UserKeys) != 0 ? protection_keys(vcpu) : 0,
      .features = x86_64::paging_features()};
  return walk_live(space, state, {.kind = Actor::Kind::kVcpu, .index = vcpu.id()}, address, access,
                   code_of);
}

}  // namespace nestling
