// KVM's list-of-MSRs calls with lists of one.
#include "vmm/x86_64/msr.h"

#include <cstddef>

#include "vmm/kvm_api.h"
#include "vmm/kvm_system.h"

namespace nestling::x86_64 {

namespace {

/// A kvm_msrs with room for one entry, laid out by hand: C++ has no flexible arrays.
struct OneMsr {
  std::uint32_t count = 1;
  std::uint32_t padding = 0;
  kvm_msr_entry entry{};
};
static_assert(offsetof(OneMsr, entry) == sizeof(kvm_msrs));

}  // namespace

std::optional<std::uint64_t> read_msr(const Vcpu& vcpu, std::uint32_t index) {
  OneMsr request;
  request.entry.index = index;
  if (kvm_ioctl(vcpu.fd(), KVM_GET_MSRS, &request) != 1) {
    return std::nullopt;
  }
  return request.entry.data;
}

bool write_msr(const Vcpu& vcpu, std::uint32_t index, std::uint64_t value) {
  OneMsr request;
  request.entry = {.index = index, .reserved = 0, .data = value};
  return kvm_ioctl(vcpu.fd(), KVM_SET_MSRS, &request) == 1;
}

}  // namespace nestling::x86_64
