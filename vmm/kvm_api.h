// The kernel's KVM interface as C++ can use it: linux/kvm.h with its flexible arrays put right.
// Include this, never linux/kvm.h itself.
#pragma once

#include <linux/stddef.h>

#include <cstdint>

// In C++ the header's own definition puts an empty struct, of size one, in front of each flexible
// array, which shifts offsets and with them every ioctl number made from a size.
#undef __DECLARE_FLEX_ARRAY
#define __DECLARE_FLEX_ARRAY(type, name) type name[0]
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpedantic"
#include <linux/kvm.h>
#pragma GCC diagnostic pop

static_assert(sizeof(kvm_irq_routing) == 8);
static_assert(sizeof(kvm_reg_list) == 8);
static_assert(sizeof(kvm_signal_mask) == 4);
static_assert(sizeof(kvm_stats_desc) == 16);
#ifdef __x86_64__
static_assert(sizeof(kvm_cpuid2) == 8);
static_assert(sizeof(kvm_msrs) == 8);
#endif

namespace nestling {

/// Newer than Debian 12's header: KVM_EXIT_MEMORY_FAULT and the union member that goes with it.
inline constexpr std::uint32_t kKvmExitMemoryFault = 39;

struct KvmMemoryFault {
  std::uint64_t flags;
  std::uint64_t gpa;
  std::uint64_t size;
};

}  // namespace nestling
