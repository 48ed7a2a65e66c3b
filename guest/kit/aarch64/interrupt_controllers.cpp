// The registers of the GIC and of the timers.
#include "guest/kit/aarch64/interrupt_controllers.h"

#include "guest/kit/aarch64/control.h"
#include "guest/kit/boot_info.h"
#include "guest/kit/expect.h"
#include "guest/kit/physical.h"

namespace nestling::guest::aarch64 {
namespace {

// Distributor; the same offsets hold in a redistributor's second page for private interrupts.
constexpr std::uint64_t kControl = 0x0;
constexpr std::uint64_t kGroup = 0x80;
constexpr std::uint64_t kSetEnable = 0x100;
constexpr std::uint64_t kPriority = 0x400;
constexpr std::uint64_t kTargets = 0x800;
constexpr std::uint64_t kSoftwareInterrupt = 0xf00;
constexpr std::uint64_t kRouter = 0x6000;

constexpr std::uint32_t kEnableGroup0 = 1U << 0;
constexpr std::uint32_t kEnableGroup1 = 1U << 1;
constexpr std::uint32_t kAffinityRouting = 1U << 4;

// Redistributor.
constexpr std::uint64_t kType = 0x8;
constexpr std::uint64_t kWaker = 0x14;
constexpr std::uint64_t kPrivateRegisters = 0x1'0000;
constexpr std::uint32_t kProcessorSleep = 1U << 1;
constexpr std::uint32_t kChildrenAsleep = 1U << 2;
constexpr std::uint64_t kAffinityMask = 0xff00'ffffffULL;

// GICv2's CPU interface.
constexpr std::uint64_t kCpuControl = 0x0;
constexpr std::uint64_t kCpuPriorityMask = 0x4;
constexpr std::uint64_t kCpuAcknowledge = 0xc;
constexpr std::uint64_t kCpuEndOfInterrupt = 0x10;
constexpr std::uint32_t kIntidMask = 0x3ff;

// GICv3's, in system registers.
constexpr SystemRegister kIccSystemRegisters{3, 0, 12, 12, 5};
constexpr SystemRegister kIccPriorityMask{3, 0, 4, 6, 0};
constexpr SystemRegister kIccGroup1{3, 0, 12, 12, 7};
constexpr SystemRegister kIccAcknowledge{3, 0, 12, 12, 0};
constexpr SystemRegister kIccEndOfInterrupt{3, 0, 12, 12, 1};
constexpr SystemRegister kIccSoftwareInterrupt{3, 0, 12, 11, 5};

constexpr std::uint32_t kLowestPriority = 0xff;
constexpr std::uint8_t kMiddlePriority = 0x80;
constexpr std::uint32_t kFirstShared = 32;

/// A machine has one interrupt controller, so a kernel has one of these.
struct Gic {
  std::uint64_t distributor = 0;
  std::uint64_t redistributors = 0;  // 0: GICv2
  std::uint64_t redistributors_size = 0;
};
constinit Gic controller{};

template <typename T = std::uint32_t>
volatile T& register_at(std::uint64_t address) {
  return *at_address<volatile T>(address);
}

bool is_version3() { return controller.redistributors != 0; }

std::uint32_t number(Intid intid) { return static_cast<std::uint32_t>(intid); }

/// This CPU's, found by the affinity that it names.
std::uint64_t redistributor() {
  const std::uint64_t own = read_register<kMpidr>() & kAffinityMask;
  const std::uint64_t affinity = own >> 32 << 24 | (own & 0xff'ffff);
  for (std::uint64_t offset = 0; offset < controller.redistributors_size;
       offset += kGicRedistributorSize) {
    const std::uint64_t address = controller.redistributors + offset;
    if (register_at<std::uint64_t>(address + kType) >> 32 == affinity) {
      return address;
    }
  }
  expect(false, "a redistributor for the CPU {}", hex(affinity));
  return 0;
}

void set_up_version3() {
  write_register<kIccSystemRegisters>(read_register<kIccSystemRegisters>() | 1);
  const std::uint64_t own = redistributor();
  register_at(own + kWaker) = register_at(own + kWaker) & ~kProcessorSleep;
  while ((register_at(own + kWaker) & kChildrenAsleep) != 0) {
  }
  register_at(own + kPrivateRegisters + kGroup) = ~0U;
  write_register<kIccPriorityMask>(kLowestPriority);
  write_register<kIccGroup1>(1);
}

void set_up_version2() {
  register_at(kMmioGicCpuInterface + kCpuPriorityMask) = kLowestPriority;
  register_at(kMmioGicCpuInterface + kCpuControl) = kEnableGroup0;
}

}  // namespace

namespace gic {

void set_up() {
  for (const DeviceEntry& device : devices(boot_info())) {
    if (device.kind == DeviceKind::kGicDistributor) {
      controller.distributor = device.address;
    } else if (device.kind == DeviceKind::kGicRedistributors) {
      controller.redistributors = device.address;
      controller.redistributors_size = device.size;
    }
  }
  expect(controller.distributor != 0, "an interrupt controller");
  register_at(controller.distributor + kControl) =
      is_version3() ? kAffinityRouting | kEnableGroup1 : kEnableGroup0;
  set_up_this_cpu();
}

void set_up_this_cpu() { is_version3() ? set_up_version3() : set_up_version2(); }

void enable(Intid intid) {
  const std::uint32_t n = number(intid);
  const bool is_private = n < kFirstShared;
  const std::uint64_t base =
      is_private && is_version3() ? redistributor() + kPrivateRegisters : controller.distributor;
  const std::uint32_t bit = 1U << (n % 32);
  if (is_version3()) {
    const std::uint64_t group = base + kGroup + std::uint64_t{n} / 32 * 4;
    register_at(group) = register_at(group) | bit;
    if (!is_private) {
      register_at<std::uint64_t>(base + kRouter + std::uint64_t{8} * n) = 0;
    }
  } else if (!is_private) {
    register_at<std::uint8_t>(base + kTargets + n) = 1;
  }
  register_at<std::uint8_t>(base + kPriority + n) = kMiddlePriority;
  register_at(base + kSetEnable + std::uint64_t{n} / 32 * 4) = bit;
}

Intid acknowledge() {
  if (is_version3()) {
    const std::uint64_t intid = read_register<kIccAcknowledge>();
    asm volatile("dsb sy" : : : "memory");
    return static_cast<Intid>(intid & 0xff'ffff);
  }
  return static_cast<Intid>(register_at(kMmioGicCpuInterface + kCpuAcknowledge) & kIntidMask);
}

void end_of_interrupt(Intid intid) {
  if (is_version3()) {
    write_register<kIccEndOfInterrupt>(number(intid));
  } else {
    register_at(kMmioGicCpuInterface + kCpuEndOfInterrupt) = number(intid);
  }
}

void send(std::uint64_t cpu_id, Intid intid) {
  asm volatile("dsb ishst" : : : "memory");  // what was written before is seen by the handler
  if (is_version3()) {
    write_register<kIccSoftwareInterrupt>(
        (cpu_id >> 32 & 0xff) << 48 | (cpu_id >> 16 & 0xff) << 32 | (cpu_id >> 8 & 0xff) << 16 |
        std::uint64_t{1} << (cpu_id & 0xf) | std::uint64_t{number(intid)} << 24);
  } else {
    register_at(controller.distributor + kSoftwareInterrupt) =
        1U << (16 + (cpu_id & 7)) | number(intid);
  }
}

}  // namespace gic

namespace timer {
namespace {

constexpr SystemRegister kVirtualValue{3, 3, 14, 3, 0};
constexpr SystemRegister kVirtualControl{3, 3, 14, 3, 1};
constexpr SystemRegister kPhysicalValue{3, 3, 14, 2, 0};
constexpr SystemRegister kPhysicalControl{3, 3, 14, 2, 1};
constexpr std::uint64_t kEnabled = 1;

}  // namespace

std::uint64_t frequency() { return read_register<kCounterFrequency>(); }

Intid intid(Timer timer) {
  return Intid{timer == Timer::kVirtual ? kIntidVirtualTimer : kIntidPhysicalTimer};
}

void start(Timer timer, std::uint32_t ticks) {
  if (timer == Timer::kVirtual) {
    write_register<kVirtualValue>(ticks);
    write_register<kVirtualControl>(kEnabled);
  } else {
    write_register<kPhysicalValue>(ticks);
    write_register<kPhysicalControl>(kEnabled);
  }
}

void stop(Timer timer) {
  timer == Timer::kVirtual ? write_register<kVirtualControl>(0)
                           : write_register<kPhysicalControl>(0);
}

}  // namespace timer

}  // namespace nestling::guest::aarch64
