// EntryState: the registers with which an x86_64 kernel is entered, as plain data.
#pragma once

#include <cstdint>

#include "addrspace/address.h"
#include "boot/x86_64/descriptors.h"

namespace nestling::x86_64 {

/// Control register bits at entry (Intel SDM volume 3, "Control Registers").
/// PE, MP, ET, NE, WP, PG.
inline constexpr std::uint64_t kEntryCr0 = 0x8001'0033;
/// PAE; OSFXSR and OSXMMEXCPT, because compilers use SSE registers unless told not to.
inline constexpr std::uint64_t kEntryCr4 = 0x620;
/// LME, LMA.
inline constexpr std::uint64_t kEntryEfer = 0x500;
/// Only the bit that is always set: interrupts are off.
inline constexpr std::uint64_t kEntryRflags = 0x2;

/// 64-bit mode with flat segments. Registers that are not named hold zero, RBP among them.
struct EntryState {
  GuestVirtAddr rip;
  /// Points at a zero return address: 16-byte aligned minus 8, as behind a call.
  GuestVirtAddr rsp;
  /// Where the BootInfo stands (boot/boot_info.h).
  GuestPhysAddr rdi;
  std::uint64_t rflags = kEntryRflags;
  std::uint64_t cr0 = kEntryCr0;
  GuestPhysAddr cr3;
  std::uint64_t cr4 = kEntryCr4;
  std::uint64_t efer = kEntryEfer;

  Segment cs = segment_from(kGdt, kCodeSelector);
  /// DS, ES, FS, GS and SS.
  Segment data = segment_from(kGdt, kDataSelector);
  /// A busy 64-bit TSS at 0, which the processor wants to see and nothing uses.
  Segment tr = {.limit = 0xffff, .type = 11, .present = true};
  Segment ldtr = {.limit = 0xffff, .type = 2, .unusable = true};
  DescriptorTable gdt;
  /// Limit 0: any exception before the kernel loads its own is a triple fault.
  DescriptorTable idt;
};

}  // namespace nestling::x86_64
