// Between KVM's register structures and our plain ones.
#include "vmm/x86_64/vcpu_state.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <vector>

#include "vmm/kvm_api.h"
#include "vmm/kvm_system.h"
#include "vmm/x86_64/msr.h"

namespace nestling::x86_64 {

Result<void> set_cpuid(const Vcpu& vcpu, const CpuidTable& table) {
  std::vector<std::byte> buffer(sizeof(kvm_cpuid2) + table.size() * sizeof(kvm_cpuid_entry2));
  auto* list = reinterpret_cast<kvm_cpuid2*>(buffer.data());
  list->nent = static_cast<std::uint32_t>(table.size());
  std::copy(table.begin(), table.end(), list->entries);
  if (kvm_ioctl(vcpu.fd(), KVM_SET_CPUID2, list) < 0) {
    return failure(host_error("KVM_SET_CPUID2", errno));
  }
  return {};
}

Result<void> refresh_apic_map(const Vcpu& any) {
  kvm_lapic_state apic{};
  if (kvm_ioctl(any.fd(), KVM_GET_LAPIC, &apic) < 0 ||
      kvm_ioctl(any.fd(), KVM_SET_LAPIC, &apic) < 0) {
    return failure(host_error(fmt::format("local APIC of vCPU {}", any.id()), errno));
  }
  return {};
}

void set_boot_msrs(const Vcpu& vcpu, const Log& log) {
  struct NamedMsr {
    const char* name;
    std::uint32_t index;
    std::uint64_t value;
  };
  // Fast string operations on; memory write-back wherever no MTRR says otherwise.
  constexpr std::array<NamedMsr, 2> kMsrs = {
      NamedMsr{"IA32_MISC_ENABLE", 0x1a0, 1},
      NamedMsr{"IA32_MTRR_DEF_TYPE", 0x2ff, (1U << 11) | 6},
  };
  for (const NamedMsr& msr : kMsrs) {
    if (!write_msr(vcpu, msr.index, msr.value)) {
      log.detail("the host refuses MSR {} ({:#x}); the guest runs without it", msr.name, msr.index);
    }
  }
}

namespace {

kvm_segment kvm_segment_of(const Segment& segment) {
  kvm_segment out{};
  out.base = segment.base;
  out.limit = segment.limit;
  out.selector = segment.selector;
  out.type = segment.type;
  out.present = segment.present ? 1 : 0;
  out.dpl = segment.privilege_level;
  out.db = segment.default_big ? 1 : 0;
  out.s = segment.code_or_data ? 1 : 0;
  out.l = segment.long_mode ? 1 : 0;
  out.g = segment.granularity ? 1 : 0;
  out.avl = segment.available ? 1 : 0;
  out.unusable = segment.unusable ? 1 : 0;
  return out;
}

kvm_dtable kvm_table_of(const DescriptorTable& table) {
  kvm_dtable out{};
  out.base = table.base;
  out.limit = table.limit;
  return out;
}

}  // namespace

Result<void> set_entry_state(const Vcpu& vcpu, const EntryState& entry) {
  kvm_sregs special{};
  if (kvm_ioctl(vcpu.fd(), KVM_GET_SREGS, &special) < 0) {
    return failure(host_error(fmt::format("KVM_GET_SREGS of vCPU {}", vcpu.id()), errno));
  }
  special.cs = kvm_segment_of(entry.cs);
  special.ds = special.es = special.fs = special.gs = special.ss = kvm_segment_of(entry.data);
  special.tr = kvm_segment_of(entry.tr);
  special.ldt = kvm_segment_of(entry.ldtr);
  special.gdt = kvm_table_of(entry.gdt);
  special.idt = kvm_table_of(entry.idt);
  special.cr0 = entry.cr0;
  special.cr3 = entry.cr3.value();
  special.cr4 = entry.cr4;
  special.efer = entry.efer;
  if (kvm_ioctl(vcpu.fd(), KVM_SET_SREGS, &special) < 0) {
    return failure(host_error(fmt::format("KVM_SET_SREGS of vCPU {}", vcpu.id()), errno));
  }
  kvm_regs general{};
  general.rip = entry.rip.value();
  general.rsp = entry.rsp.value();
  general.rdi = entry.rdi.value();
  general.rflags = entry.rflags;
  if (kvm_ioctl(vcpu.fd(), KVM_SET_REGS, &general) < 0) {
    return failure(host_error(fmt::format("KVM_SET_REGS of vCPU {}", vcpu.id()), errno));
  }
  return {};
}

namespace {

Segment segment_of(const kvm_segment& segment) {
  return {
      .selector = segment.selector,
      .base = segment.base,
      .limit = segment.limit,
      .type = segment.type,
      .privilege_level = segment.dpl,
      .present = segment.present != 0,
      .code_or_data = segment.s != 0,
      .long_mode = segment.l != 0,
      .default_big = segment.db != 0,
      .granularity = segment.g != 0,
      .available = segment.avl != 0,
      .unusable = segment.unusable != 0,
  };
}

void copy_general(const kvm_regs& from, CpuState& to) {
  to.rax = from.rax;
  to.rbx = from.rbx;
  to.rcx = from.rcx;
  to.rdx = from.rdx;
  to.rsi = from.rsi;
  to.rdi = from.rdi;
  to.rbp = from.rbp;
  to.rsp = from.rsp;
  to.r8 = from.r8;
  to.r9 = from.r9;
  to.r10 = from.r10;
  to.r11 = from.r11;
  to.r12 = from.r12;
  to.r13 = from.r13;
  to.r14 = from.r14;
  to.r15 = from.r15;
  to.rip = from.rip;
  to.rflags = from.rflags;
}

void copy_special(const kvm_sregs& from, CpuState& to) {
  to.cs = segment_of(from.cs);
  to.ds = segment_of(from.ds);
  to.es = segment_of(from.es);
  to.fs = segment_of(from.fs);
  to.gs = segment_of(from.gs);
  to.ss = segment_of(from.ss);
  to.tr = segment_of(from.tr);
  to.ldtr = segment_of(from.ldt);
  to.gdtr = {.base = from.gdt.base, .limit = from.gdt.limit};
  to.idtr = {.base = from.idt.base, .limit = from.idt.limit};
  to.cr0 = from.cr0;
  to.cr2 = from.cr2;
  to.cr3 = from.cr3;
  to.cr4 = from.cr4;
  to.cr8 = from.cr8;
  to.efer = from.efer;
}

}  // namespace

Result<CpuState> read_cpu_state(const Vcpu& vcpu) {
  kvm_regs general{};
  kvm_sregs special{};
  if (kvm_ioctl(vcpu.fd(), KVM_GET_REGS, &general) < 0 ||
      kvm_ioctl(vcpu.fd(), KVM_GET_SREGS, &special) < 0) {
    return failure(host_error(fmt::format("registers of vCPU {}", vcpu.id()), errno));
  }
  CpuState state;
  copy_general(general, state);
  copy_special(special, state);
  return state;
}

}  // namespace nestling::x86_64
