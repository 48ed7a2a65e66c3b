// EntryState: the registers a kernel starts with on arm64, as plain data that knows no KVM.
#pragma once

#include <cstdint>

#include "addrspace/address.h"

namespace nestling::aarch64 {

/// EL1 with its own stack pointer; debug exceptions, SErrors, IRQs and FIQs masked (Arm ARM,
/// "SPSR_EL1").
inline constexpr std::uint64_t kEntryPstate = 0x3c5;
/// MMU and caches off, little-endian: only the bits that are ones where an extension is absent
/// (Arm ARM, "SCTLR_EL1").
inline constexpr std::uint64_t kEntrySctlr = 0x30d0'0800;
/// FPEN: floating point and SIMD, because compilers use those registers unless told not to (Arm
/// ARM, "CPACR_EL1").
inline constexpr std::uint64_t kEntryCpacr = 0x30'0000;

/// The MMU is off, so virtual addresses are physical ones. General and system registers that are
/// not named hold zero, X2, X3 and X29 among them.
struct EntryState {
  GuestVirtAddr pc;
  /// SP_EL1, 16-byte aligned, the end of a stack.
  GuestVirtAddr sp;
  /// Where the flattened device tree stands (boot/aarch64/device_tree.h).
  GuestPhysAddr x0;
  /// Where the BootInfo stands (boot/boot_info.h).
  GuestPhysAddr x1;
  std::uint64_t pstate = kEntryPstate;
  std::uint64_t sctlr = kEntrySctlr;
  std::uint64_t cpacr = kEntryCpacr;
  /// Vectors that report any exception (boot/aarch64/boot_vectors.h), 2 KiB aligned.
  GuestVirtAddr vbar;
};

}  // namespace nestling::aarch64
