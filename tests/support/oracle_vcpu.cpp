// The few ioctls that make a vCPU walk page tables.
#include "tests/support/oracle_vcpu.h"

#include <sys/ioctl.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <string_view>

#include "vmm/kvm_api.h"
#include "vmm/kvm_system.h"
#include "vmm/memory/vm_slot_table.h"

namespace nestling::x86_64 {

namespace {

constexpr std::size_t kMaxCpuidEntries = 256;

/// kvm_cpuid2 with room for its entries.
struct Cpuid {
  std::uint32_t count = kMaxCpuidEntries;
  std::uint32_t padding = 0;
  std::array<kvm_cpuid_entry2, kMaxCpuidEntries> entries{};

  [[nodiscard]] const kvm_cpuid_entry2* find(std::uint32_t function) const {
    for (std::uint32_t i = 0; i < count; ++i) {
      if (entries.at(i).function == function && entries.at(i).index == 0) {
        return &entries.at(i);
      }
    }
    return nullptr;
  }
};
static_assert(offsetof(Cpuid, entries) == sizeof(kvm_cpuid2));
static_assert(offsetof(Cpuid, count) == offsetof(kvm_cpuid2, nent));

template <typename Argument>
Result<int> call(int fd, unsigned long request, Argument argument, std::string_view what) {
  const int result = ioctl(fd, request, argument);
  if (result < 0) {
    return failure(host_error(what, errno));
  }
  return result;
}

bool bit(std::uint32_t value, unsigned number) { return (value >> number & 1) != 0; }

}  // namespace

Result<void> OracleVcpu::give_cpuid(int system) {
  Cpuid cpuid;
  if (auto done = call(system, KVM_GET_SUPPORTED_CPUID, &cpuid, "KVM_GET_SUPPORTED_CPUID"); !done) {
    return failure(done.error());
  }
  if (auto done = call(vcpu_.fd(), KVM_SET_CPUID2, &cpuid, "KVM_SET_CPUID2"); !done) {
    return failure(done.error());
  }
  // KVM's own walk takes the address of a 4 MiB page for 36 bits wide, whatever CPUID says.
  features_.large_page_address_bits = 36;
  features_.physical_address_bits = 36;
  if (const auto* leaf = cpuid.find(0x8000'0008)) {
    features_.physical_address_bits = static_cast<std::uint8_t>(leaf->eax & 0xff);
  }
  features_.gigabyte_pages = false;
  if (const auto* leaf = cpuid.find(0x8000'0001)) {
    features_.gigabyte_pages = bit(leaf->edx, 26);
    has_no_execute_ = bit(leaf->edx, 20);
  }
  if (const auto* leaf = cpuid.find(0)) {
    constexpr std::uint32_t kAuthenticAmdEbx = 0x6874'7541;
    constexpr std::uint32_t kHygonGenuineEbx = 0x6f67'7948;
    features_.bit8_reserved_on_top = leaf->ebx == kAuthenticAmdEbx || leaf->ebx == kHygonGenuineEbx;
  }
  cr4_features_ = kCr4Pse | kCr4Pae;
  if (const auto* leaf = cpuid.find(7)) {
    cr4_features_ |= bit(leaf->ebx, 7) ? kCr4Smep : 0;
    cr4_features_ |= bit(leaf->ebx, 20) ? kCr4Smap : 0;
    cr4_features_ |= bit(leaf->ecx, 3) ? kCr4UserKeys : 0;
    cr4_features_ |= bit(leaf->ecx, 16) ? kCr4FiveLevels : 0;
  }
  return {};
}

Result<OracleVcpu> OracleVcpu::create(std::uint64_t ram_size) {
  auto ram = HostMapping::anonymous(ram_size, 2ULL << 20);
  if (!ram) {
    return failure(ram.error());
  }
  const std::array slots{Slot{GuestPhysRange::of(GuestPhysAddr(0), ram_size), ram->bytes()}};
  auto oracle = create_over(slots);
  if (oracle) {
    oracle->ram_ = std::move(*ram);
  }
  return oracle;
}

Result<OracleVcpu> OracleVcpu::create_over(std::span<const Slot> slots) {
  const auto system = KvmSystem::open();
  if (!system) {
    return failure(system.error());
  }
  auto vm = system->create_vm();
  if (!vm) {
    return failure(vm.error());
  }
  VmSlotTable table(*vm);
  std::uint32_t number = 0;
  for (const Slot& slot : slots) {
    const auto added = table.add_slot({.number = number++, .guest = slot.guest, .host = slot.host});
    if (!added) {
      return failure(added.error());
    }
  }
  auto vcpu = vm->create_vcpu(0);
  if (!vcpu) {
    return failure(vcpu.error());
  }
  OracleVcpu oracle(std::move(*vm), std::move(*vcpu));
  if (auto done = oracle.give_cpuid(system->fd()); !done) {
    return failure(done.error());
  }
  return oracle;
}

Result<void> OracleVcpu::load(const PagingState& state) {
  kvm_regs regs{};
  regs.rflags = 2 | (state.alignment_check ? 1U << 18 : 0);
  if (auto done = call(vcpu_.fd(), KVM_SET_REGS, &regs, "KVM_SET_REGS"); !done) {
    return failure(done.error());
  }
  kvm_sregs sregs{};
  if (auto done = call(vcpu_.fd(), KVM_GET_SREGS, &sregs, "KVM_GET_SREGS"); !done) {
    return failure(done.error());
  }
  constexpr std::uint64_t kLongModeActive = 1ULL << 10;
  sregs.cr0 = state.cr0;
  sregs.cr3 = state.cr3;
  sregs.cr4 = state.cr4;
  sregs.efer = state.efer;
  const bool long_mode = (state.efer & kEferLongMode) != 0 && (state.cr0 & kCr0Paging) != 0;
  sregs.efer |= long_mode ? kLongModeActive : 0;
  sregs.cs.l = long_mode ? 1 : 0;
  sregs.cs.db = long_mode ? 0 : 1;
  if (auto done = call(vcpu_.fd(), KVM_SET_SREGS, &sregs, "KVM_SET_SREGS"); !done) {
    return failure(done.error());
  }
  return {};
}

Result<std::optional<GuestPhysAddr>> OracleVcpu::translate(GuestVirtAddr gva) {
  kvm_translation translation{};
  translation.linear_address = gva.value();
  if (auto done = call(vcpu_.fd(), KVM_TRANSLATE, &translation, "KVM_TRANSLATE"); !done) {
    return failure(done.error());
  }
  return translation.valid != 0
             ? std::optional<GuestPhysAddr>(GuestPhysAddr(translation.physical_address))
             : std::nullopt;
}

}  // namespace nestling::x86_64
