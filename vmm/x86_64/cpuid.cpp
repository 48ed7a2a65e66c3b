// The leaves that must differ from what KVM reports for the host.
#include "vmm/x86_64/cpuid.h"

#include <asm/kvm_para.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <memory>

namespace nestling::x86_64 {

namespace {

constexpr std::uint32_t bit(unsigned number) { return 1U << number; }

/// `value` with bits first..last replaced by `field`.
constexpr std::uint32_t with_field(std::uint32_t value, unsigned first, unsigned last,
                                   std::uint32_t field) {
  const std::uint32_t mask = (~0U >> (31 - last)) & (~0U << first);
  return (value & ~mask) | ((field << first) & mask);
}
static_assert(with_field(0xffff'ffff, 24, 31, 0x12) == 0x12ff'ffff);

/// Bits of an APIC id that tell the cores of the package apart.
std::uint32_t core_id_bits(std::uint32_t vcpu_count) {
  return static_cast<std::uint32_t>(std::bit_width(vcpu_count - 1));
}

/// A leaf that answers for several subleaves, of which this is the first.
kvm_cpuid_entry2 topology_leaf(std::uint32_t function) {
  kvm_cpuid_entry2 entry{};
  entry.function = function;
  entry.flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX;
  return entry;
}

/// Leaves 0xb and 0x1f: a thread level of one, a core level of all, and the end.
void append_topology(CpuidTable& table, std::uint32_t function, CpuPosition position) {
  constexpr std::uint32_t kThreadLevel = 1;
  constexpr std::uint32_t kCoreLevel = 2;
  kvm_cpuid_entry2 threads = topology_leaf(function);
  threads.ebx = 1;
  threads.ecx = (kThreadLevel << 8) | 0;
  threads.edx = position.vcpu_id;
  kvm_cpuid_entry2 cores = topology_leaf(function);
  cores.index = 1;
  cores.eax = core_id_bits(position.vcpu_count);
  cores.ebx = position.vcpu_count;
  cores.ecx = (kCoreLevel << 8) | 1;
  cores.edx = position.vcpu_id;
  kvm_cpuid_entry2 end = topology_leaf(function);
  end.index = 2;
  end.ecx = 2;
  end.edx = position.vcpu_id;
  table.insert(table.end(), {threads, cores, end});
}

void adjust_features(kvm_cpuid_entry2& entry, CpuPosition position, LocalApic apic) {
  constexpr std::uint32_t kEcxX2apic = bit(21);
  constexpr std::uint32_t kEcxTscDeadline = bit(24);
  constexpr std::uint32_t kEcxHypervisor = bit(31);
  constexpr std::uint32_t kEdxApic = bit(9);
  constexpr std::uint32_t kEdxMultiThreading = bit(28);
  entry.ebx = with_field(entry.ebx, 24, 31, position.vcpu_id);
  entry.ebx = with_field(entry.ebx, 16, 23, position.vcpu_count);
  entry.ecx |= kEcxHypervisor;
  entry.edx =
      position.vcpu_count > 1 ? entry.edx | kEdxMultiThreading : entry.edx & ~kEdxMultiThreading;
  if (apic == LocalApic::kAbsent) {
    entry.ecx &= ~(kEcxX2apic | kEcxTscDeadline);
    entry.edx &= ~kEdxApic;
  } else if (apic == LocalApic::kInKernelWithDeadlineTimer) {
    entry.ecx |= kEcxTscDeadline;  // KVM offers it through a capability, not through this leaf
  }
}

void adjust(kvm_cpuid_entry2& entry, CpuPosition position, LocalApic apic) {
  const std::uint32_t id_bits = core_id_bits(position.vcpu_count);
  switch (entry.function) {
    case 0x1:
      adjust_features(entry, position, apic);
      break;
    case 0x4:  // Intel's caches: each core has its own; the cores of the package
    case 0x8000001d:
      entry.eax = with_field(entry.eax, 14, 25, 0);
      if (entry.function == 0x4 && (entry.eax & 0x1f) != 0) {
        entry.eax = with_field(entry.eax, 26, 31, (1U << id_bits) - 1);
      }
      break;
    case KVM_CPUID_FEATURES:
      if (apic == LocalApic::kAbsent) {
        entry.eax &= ~(bit(KVM_FEATURE_ASYNC_PF) | bit(KVM_FEATURE_PV_EOI) |
                       bit(KVM_FEATURE_PV_UNHALT) | bit(KVM_FEATURE_PV_SEND_IPI) |
                       bit(KVM_FEATURE_ASYNC_PF_INT) | bit(KVM_FEATURE_MSI_EXT_DEST_ID));
      }
      break;
    case 0x80000008:
      entry.ecx = with_field(entry.ecx, 0, 7, position.vcpu_count - 1);
      entry.ecx = with_field(entry.ecx, 12, 15, id_bits);
      break;
    case 0x8000001e:  // AMD: extended APIC id, core id, one thread a core, one node
      entry.eax = position.vcpu_id;
      entry.ebx = position.vcpu_id & 0xff;
      entry.ecx = 0;
      break;
    default:
      break;
  }
}

}  // namespace

Result<CpuidTable> supported_cpuid(const KvmSystem& kvm) {
  constexpr std::uint32_t kMostEntries = 512;
  for (std::uint32_t room = 128; room <= kMostEntries; room *= 2) {
    std::vector<std::byte> buffer(sizeof(kvm_cpuid2) + room * sizeof(kvm_cpuid_entry2));
    auto* list = reinterpret_cast<kvm_cpuid2*>(buffer.data());
    list->nent = room;
    if (kvm_ioctl(kvm.fd(), KVM_GET_SUPPORTED_CPUID, list) == 0) {
      return CpuidTable(list->entries, list->entries + list->nent);
    }
    if (errno != E2BIG) {
      break;
    }
  }
  return failure(host_error("KVM_GET_SUPPORTED_CPUID", errno));
}

CpuidTable cpuid_for(const CpuidTable& supported, CpuPosition position, LocalApic apic) {
  CpuidTable table;
  table.reserve(supported.size() + 6);
  bool has_extended_topology = false;
  bool has_v2_topology = false;
  for (kvm_cpuid_entry2 entry : supported) {
    if (entry.function == 0xb) {
      has_extended_topology = true;
    } else if (entry.function == 0x1f) {
      has_v2_topology = true;
    } else {
      adjust(entry, position, apic);
      table.push_back(entry);
    }
  }
  if (has_extended_topology) {
    append_topology(table, 0xb, position);
  }
  if (has_v2_topology) {
    append_topology(table, 0x1f, position);
  }
  return table;
}

}  // namespace nestling::x86_64
