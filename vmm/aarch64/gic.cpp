// Making the device, saying where its registers are, and starting it.
#include "vmm/aarch64/gic.h"

#include <cerrno>
#include <optional>

#include "boot/aarch64/device_tree.h"
#include "guest/abi.h"
#include "vmm/kvm_api.h"
#include "vmm/kvm_system.h"

namespace nestling::aarch64 {

namespace {

static_assert(irq_line_number(33) == (KVM_ARM_IRQ_TYPE_SPI << KVM_ARM_IRQ_TYPE_SHIFT | 33));

/// One page for the registers, one that repeats what the second page of older GICs had.
constexpr std::uint64_t kV2DistributorSize = KVM_VGIC_V2_DIST_SIZE;
constexpr std::uint64_t kV2CpuInterfaceSize = KVM_VGIC_V2_CPU_SIZE;
constexpr std::uint64_t kV3DistributorSize = 0x1'0000;
/// A GICv2 has a bit for each CPU in a byte.
constexpr std::uint32_t kMostV2Cpus = 8;
/// Up to the first UART.
constexpr std::uint32_t kMostV3Cpus = static_cast<std::uint32_t>(
    (guest::kMmioPl011 - guest::kMmioGicRedistributors) / guest::kGicRedistributorSize);

std::optional<UniqueFd> create_device(const Vm& vm, std::uint32_t type) {
  kvm_create_device device{};
  device.type = type;
  if (kvm_ioctl(vm.fd(), KVM_CREATE_DEVICE, &device) < 0) {
    return std::nullopt;
  }
  return UniqueFd(static_cast<int>(device.fd));
}

constexpr std::uint32_t most_cpus(GicVersion version) {
  return version == GicVersion::kV3 ? kMostV3Cpus : kMostV2Cpus;
}

}  // namespace

std::string_view name_of(GicVersion version) {
  return version == GicVersion::kV3 ? "GICv3" : "GICv2";
}

Result<void> Gic::place(std::uint64_t part, GuestPhysAddr where) const {
  std::uint64_t address = where.value();
  kvm_device_attr attribute{};
  attribute.group = KVM_DEV_ARM_VGIC_GRP_ADDR;
  attribute.attr = part;
  attribute.addr = reinterpret_cast<std::uintptr_t>(&address);
  if (kvm_ioctl(fd_.get(), KVM_SET_DEVICE_ATTR, &attribute) < 0) {
    return failure(
        host_error(fmt::format("registers of the {} at {:#x}", name_of(version_), address), errno));
  }
  return {};
}

Result<Gic> Gic::create(const Vm& vm, std::uint32_t vcpu_count) {
  GicVersion version = GicVersion::kV3;
  std::optional<UniqueFd> fd = create_device(vm, KVM_DEV_TYPE_ARM_VGIC_V3);
  if (!fd) {
    version = GicVersion::kV2;
    fd = create_device(vm, KVM_DEV_TYPE_ARM_VGIC_V2);
  }
  if (!fd) {
    return failure(host_error("neither a GICv3 nor a GICv2: KVM_CREATE_DEVICE", errno));
  }
  if (vcpu_count > most_cpus(version)) {
    return failure(make_error(ErrorKind::kHostRefused, "{} vCPUs: the host's {} takes {} at most",
                              vcpu_count, name_of(version), most_cpus(version)));
  }
  Gic gic(*std::move(fd), version, vcpu_count);
  const bool is_v3 = version == GicVersion::kV3;
  if (auto done = gic.place(is_v3 ? KVM_VGIC_V3_ADDR_TYPE_DIST : KVM_VGIC_V2_ADDR_TYPE_DIST,
                            GuestPhysAddr(guest::kMmioGicDistributor));
      !done) {
    return failure(done.error());
  }
  if (auto done = gic.place(
          is_v3 ? KVM_VGIC_V3_ADDR_TYPE_REDIST : KVM_VGIC_V2_ADDR_TYPE_CPU,
          GuestPhysAddr(is_v3 ? guest::kMmioGicRedistributors : guest::kMmioGicCpuInterface));
      !done) {
    return failure(done.error());
  }
  return gic;
}

Result<void> Gic::complete() const {
  kvm_device_attr attribute{};
  attribute.group = KVM_DEV_ARM_VGIC_GRP_CTRL;
  attribute.attr = KVM_DEV_ARM_VGIC_CTRL_INIT;
  if (kvm_ioctl(fd_.get(), KVM_SET_DEVICE_ATTR, &attribute) < 0) {
    return failure(host_error(fmt::format("starting the {}", name_of(version_)), errno));
  }
  return {};
}

bool Gic::may_pass(const Vcpu& vcpu, std::uint32_t intid) const {
  // ISENABLER0, of the redistributor's second frame, or banked in a GICv2's distributor.
  constexpr std::uint64_t kV3Enabled = 0x1'0100;
  constexpr std::uint64_t kV2Enabled = 0x100;
  std::uint32_t enabled = 0;
  kvm_device_attr attribute{};
  if (version_ == GicVersion::kV3) {
    attribute.group = KVM_DEV_ARM_VGIC_GRP_REDIST_REGS;
    attribute.attr =
        std::uint64_t{cpu_affinity(vcpu.id())} << KVM_DEV_ARM_VGIC_V3_MPIDR_SHIFT | kV3Enabled;
  } else {
    attribute.group = KVM_DEV_ARM_VGIC_GRP_DIST_REGS;
    attribute.attr = std::uint64_t{vcpu.id()} << KVM_DEV_ARM_VGIC_CPUID_SHIFT | kV2Enabled;
  }
  attribute.addr = reinterpret_cast<std::uintptr_t>(&enabled);
  if (kvm_ioctl(fd_.get(), KVM_GET_DEVICE_ATTR, &attribute) < 0) {
    return true;
  }
  return (enabled >> intid & 1) != 0;
}

std::vector<DeviceEntry> Gic::device_list() const {
  const auto entry = [](DeviceKind kind, std::uint64_t address, std::uint64_t size) {
    return DeviceEntry{.kind = kind, .space = DeviceSpace::kMmio, .address = address, .size = size};
  };
  if (version_ == GicVersion::kV2) {
    return {entry(DeviceKind::kGicDistributor, guest::kMmioGicDistributor, kV2DistributorSize),
            entry(DeviceKind::kGicCpuInterface, guest::kMmioGicCpuInterface, kV2CpuInterfaceSize)};
  }
  return {entry(DeviceKind::kGicDistributor, guest::kMmioGicDistributor, kV3DistributorSize),
          entry(DeviceKind::kGicRedistributors, guest::kMmioGicRedistributors,
                vcpu_count_ * guest::kGicRedistributorSize)};
}

void GicIrqLine::set(IrqLevel level) {
  if (const auto done = vm_.set_irq_line(irq_line_number(intid_), level); !done) {
    log_.warn("{}", done.error().message);
  }
}

}  // namespace nestling::aarch64
