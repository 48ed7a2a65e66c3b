// Between KVM's registers, each read and written by its number, and our plain ones.
#include "vmm/aarch64/vcpu_state.h"

#include <array>
#include <cerrno>
#include <cstddef>
#include <span>
#include <string>
#include <utility>

#include "vmm/kvm_api.h"
#include "vmm/kvm_system.h"

namespace nestling::aarch64 {

static_assert(register_id({.op0 = 3, .op1 = 3, .crn = 14, .crm = 3, .op2 = 1}) ==
              RegisterId{KVM_REG_ARM_TIMER_CTL});
static_assert(kPhysicalTimerControl == RegisterId{KVM_REG_ARM_PTIMER_CTL});
static_assert(core_register(8) ==
              RegisterId{KVM_REG_ARM64 | KVM_REG_SIZE_U64 | KVM_REG_ARM_CORE | 2});
static_assert(general_register(30) == core_register(offsetof(kvm_regs, regs.regs[30])));
static_assert(kPc == core_register(offsetof(kvm_regs, regs.pc)));
static_assert(vector_register(2) ==
              RegisterId{KVM_REG_ARM64 | KVM_REG_SIZE_U128 | KVM_REG_ARM_CORE |
                         offsetof(kvm_regs, fp_regs.vregs[2]) / sizeof(std::uint32_t)});
static_assert(kPstate == core_register(offsetof(kvm_regs, regs.pstate)));
static_assert(kSctlr == RegisterId{ARM64_SYS_REG(3, 0, 1, 0, 0)});
static_assert(kMair == RegisterId{ARM64_SYS_REG(3, 0, 10, 2, 0)});

namespace {

constexpr RegisterId kSpEl0 = core_register(offsetof(kvm_regs, regs.sp));
constexpr RegisterId kSpEl1 = core_register(offsetof(kvm_regs, sp_el1));
constexpr RegisterId kElr = core_register(offsetof(kvm_regs, elr_el1));
constexpr RegisterId kSpsr = core_register(offsetof(kvm_regs, spsr));

constexpr std::uint32_t feature(unsigned bit) { return 1U << bit; }

/// KVM_GET_ONE_REG or KVM_SET_ONE_REG: as many bytes as the id says go to or come from `value`.
bool move_register(const Vcpu& vcpu, unsigned long request_number, RegisterId id, void* value) {
  kvm_one_reg request{};
  request.id = static_cast<std::uint64_t>(id);
  request.addr = reinterpret_cast<std::uintptr_t>(value);
  return kvm_ioctl(vcpu.fd(), request_number, &request) >= 0;
}

Error register_error(const Vcpu& vcpu, RegisterId id, const std::string& what) {
  const int reason = errno;
  return host_error(
      fmt::format("register {:#x} of vCPU {}{}", static_cast<std::uint64_t>(id), vcpu.id(), what),
      reason);
}

}  // namespace

Result<std::uint64_t> read_register(const Vcpu& vcpu, RegisterId id) {
  std::uint64_t value = 0;
  if (!move_register(vcpu, KVM_GET_ONE_REG, id, &value)) {
    return failure(register_error(vcpu, id, ""));
  }
  return value;
}

Result<void> write_register(const Vcpu& vcpu, RegisterId id, std::uint64_t value) {
  if (!move_register(vcpu, KVM_SET_ONE_REG, id, &value)) {
    return failure(register_error(vcpu, id, fmt::format(" as {:#x}", value)));
  }
  return {};
}

RegisterId stack_pointer(const CpuState& cpu) {
  return (cpu.pstate & kPstateModeMask) == kPstateEl1OnSpEl1 ? kSpEl1 : kSpEl0;
}

Result<VectorBytes> read_vector(const Vcpu& vcpu, std::uint64_t number) {
  VectorBytes bytes{};
  if (!move_register(vcpu, KVM_GET_ONE_REG, vector_register(number), bytes.data())) {
    return failure(register_error(vcpu, vector_register(number), ""));
  }
  return bytes;
}

Result<void> write_vector(const Vcpu& vcpu, std::uint64_t number, const VectorBytes& bytes) {
  VectorBytes copy = bytes;
  if (!move_register(vcpu, KVM_SET_ONE_REG, vector_register(number), copy.data())) {
    return failure(register_error(vcpu, vector_register(number), ""));
  }
  return {};
}

Result<void> initialize(const Vm& vm, std::span<const Vcpu> vcpus) {
  kvm_vcpu_init model{};
  if (kvm_ioctl(vm.fd(), KVM_ARM_PREFERRED_TARGET, &model) < 0) {
    return failure(host_error("KVM_ARM_PREFERRED_TARGET", errno));
  }
  model.features[0] |= feature(KVM_ARM_VCPU_PSCI_0_2);
  for (const Vcpu& vcpu : vcpus) {
    kvm_vcpu_init init = model;
    if (vcpu.id() != 0) {
      init.features[0] |= feature(KVM_ARM_VCPU_POWER_OFF);
    }
    if (kvm_ioctl(vcpu.fd(), KVM_ARM_VCPU_INIT, &init) < 0) {
      return failure(host_error(fmt::format("KVM_ARM_VCPU_INIT of vCPU {}", vcpu.id()), errno));
    }
  }
  return {};
}

Result<void> set_entry_state(const Vcpu& vcpu, const EntryState& entry) {
  // KVM_ARM_VCPU_INIT has set all others to zero, or to what the architecture has them reset to.
  const std::array<std::pair<RegisterId, std::uint64_t>, 8> values = {{
      {kPc, entry.pc.value()},
      {kSpEl1, entry.sp.value()},
      {general_register(0), entry.x0.value()},
      {general_register(1), entry.x1.value()},
      {kPstate, entry.pstate},
      {kSctlr, entry.sctlr},
      {kCpacr, entry.cpacr},
      {kVbar, entry.vbar.value()},
  }};
  for (const auto& [id, value] : values) {
    if (auto done = write_register(vcpu, id, value); !done) {
      return done;
    }
  }
  return {};
}

namespace {

/// Registers read one after the other; the first that fails is remembered.
class Reader {
 public:
  explicit Reader(const Vcpu& vcpu) : vcpu_(vcpu) {}

  std::uint64_t operator()(RegisterId id) {
    const auto value = read_register(vcpu_, id);
    if (!value && done_) {
      done_ = failure(value.error());
    }
    return value ? *value : 0;
  }
  [[nodiscard]] const Result<void>& done() const { return done_; }

 private:
  const Vcpu& vcpu_;
  Result<void> done_;
};

}  // namespace

Result<CpuState> read_cpu_state(const Vcpu& vcpu) {
  Reader read(vcpu);
  CpuState cpu;
  for (std::size_t number = 0; number < cpu.x.size(); ++number) {
    cpu.x.at(number) = read(general_register(number));
  }
  cpu.sp_el0 = read(kSpEl0);
  cpu.sp_el1 = read(kSpEl1);
  cpu.pc = read(kPc);
  cpu.pstate = read(kPstate);
  cpu.elr = read(kElr);
  cpu.spsr = read(kSpsr);
  cpu.esr = read(kEsr);
  cpu.far = read(kFar);
  cpu.vbar = read(kVbar);
  cpu.sctlr = read(kSctlr);
  cpu.tcr = read(kTcr);
  cpu.mair = read(kMair);
  cpu.ttbr0 = read(kTtbr0);
  cpu.ttbr1 = read(kTtbr1);
  cpu.cpacr = read(kCpacr);
  cpu.mpidr = read(kMpidr);
  cpu.features =
      features_from(read(kMemoryFeatures0), read(kMemoryFeatures1), read(kMemoryFeatures2));
  if (!read.done()) {
    return failure(read.done().error());
  }
  return cpu;
}

}  // namespace nestling::aarch64
