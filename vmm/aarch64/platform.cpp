// The arm64 platform: which device stands at which address, with which interrupt.
#include "vmm/platform.h"

#include <optional>
#include <utility>

#include "boot/aarch64/boot_vectors.h"
#include "devices/exit_register.h"
#include "devices/pl011.h"
#include "devices/pl031.h"
#include "devices/pvpanic.h"
#include "devices/uart_16550.h"
#include "guest/abi.h"
#include "vmm/aarch64/fault_registers.h"
#include "vmm/aarch64/gic.h"
#include "vmm/aarch64/register_id.h"
#include "vmm/aarch64/vcpu_state.h"
#include "vmm/kvm_api.h"
#include "vmm/kvm_system.h"
#include "vmm/timer_thread.h"

namespace nestling {

namespace {

using aarch64::Gic;
using aarch64::GicIrqLine;

class ArmPlatform final : public Platform {
 public:
  ArmPlatform(const PlatformWiring& wiring, Gic gic)
      : gic_(std::move(gic)),
        pl011_irq_(wiring.vm, guest::kIntidPl011, wiring.log),
        pl011_(wiring.console, pl011_irq_, wiring.console_room),
        uart_irq_(wiring.vm, guest::kIntidUart16550, wiring.log),
        uart_(wiring.console, uart_irq_, wiring.console_room),
        exit_(wiring.power),
        pvpanic_(wiring.power),
        fault_registers_(wiring.power),
        timers_(clock_, wiring.log),
        rtc_irq_(wiring.vm, guest::kIntidPl031, wiring.log),
        rtc_(clock_, timers_, rtc_irq_),
        test_device_(wiring.test_device) {}

  ArmPlatform(const ArmPlatform&) = delete;
  ArmPlatform& operator=(const ArmPlatform&) = delete;
  /// No timer may come while the devices go.
  ~ArmPlatform() override { timers_.stop(); }

  /// Fails with kBug when two devices claim one address.
  Result<void> attach_all();

  [[nodiscard]] const PortBus& ports() const override { return ports_; }
  [[nodiscard]] const MmioBus& mmio() const override { return mmio_; }
  [[nodiscard]] std::vector<DeviceEntry> device_list() const override;
  /// The console is the PL011; the 16550 has no input.
  [[nodiscard]] std::size_t receive(std::span<const std::byte> bytes) override {
    return pl011_.receive(bytes);
  }
  void input_ended() override { pl011_.input_ended(); }
  [[nodiscard]] bool may_interrupt() const override {
    return pl011_.may_interrupt() || rtc_.may_interrupt();
  }
  [[nodiscard]] Result<void> complete() override { return gic_.complete(); }
  /// The physical timer, where KVM does not tell of it, counts unless its interrupt is disabled.
  [[nodiscard]] bool may_have_hidden_timer(const Vcpu& vcpu) const override {
    return !aarch64::read_register(vcpu, aarch64::kPhysicalTimerControl) &&
           gic_.may_pass(vcpu, guest::kIntidPhysicalTimer);
  }

 private:
  Gic gic_;
  GicIrqLine pl011_irq_;
  Pl011 pl011_;
  GicIrqLine uart_irq_;
  Uart16550 uart_;
  ExitRegister exit_;
  Pvpanic pvpanic_;
  aarch64::FaultRegisters fault_registers_;
  SteadyWallClock clock_;
  TimerThread timers_;
  GicIrqLine rtc_irq_;
  Pl031 rtc_;
  Device* test_device_;
  PortBus ports_;  // without ports
  MmioBus mmio_;
};

struct Attachment {
  const char* name;
  std::uint64_t address;
  std::uint64_t size;
  Device& device;
};

Result<void> ArmPlatform::attach_all() {
  const Attachment devices[] = {
      {"uart", guest::kMmioPl011, Pl011::kSize, pl011_},
      {"clock", guest::kMmioPl031, Pl031::kSize, rtc_},
      {"second uart", guest::kMmioUart16550, Uart16550::kRegisterCount, uart_},
      {"pvpanic", guest::kMmioPvpanic, 1, pvpanic_},
      {"fault registers", aarch64::kFaultRegisters.start().value(), aarch64::kFaultRegisters.size(),
       fault_registers_},
      {"exit register", guest::kMmioExit, 4, exit_},
  };
  for (const Attachment& each : devices) {
    const auto range = GuestPhysRange::of(GuestPhysAddr(each.address), each.size);
    if (auto done = mmio_.attach(each.name, range, each.device); !done) {
      return done;
    }
  }
  if (test_device_ != nullptr) {
    const auto range = GuestPhysRange::of(GuestPhysAddr(guest::kMmioTest), guest::kTestSize);
    return mmio_.attach("test device", range, *test_device_);
  }
  return {};
}

std::vector<DeviceEntry> ArmPlatform::device_list() const {
  std::vector<DeviceEntry> list = gic_.device_list();
  list.push_back({.kind = DeviceKind::kUartPl011,
                  .space = DeviceSpace::kMmio,
                  .address = guest::kMmioPl011,
                  .size = Pl011::kSize,
                  .irq = guest::kIntidPl011});
  list.push_back({.kind = DeviceKind::kRtcPl031,
                  .space = DeviceSpace::kMmio,
                  .address = guest::kMmioPl031,
                  .size = Pl031::kSize,
                  .irq = guest::kIntidPl031});
  list.push_back({.kind = DeviceKind::kUart16550,
                  .space = DeviceSpace::kMmio,
                  .address = guest::kMmioUart16550,
                  .size = Uart16550::kRegisterCount,
                  .irq = guest::kIntidUart16550});
  list.push_back({.kind = DeviceKind::kPvpanic,
                  .space = DeviceSpace::kMmio,
                  .address = guest::kMmioPvpanic,
                  .size = 1});
  list.push_back({.kind = DeviceKind::kExit,
                  .space = DeviceSpace::kMmio,
                  .address = guest::kMmioExit,
                  .size = 4});
  if (test_device_ != nullptr) {
    list.push_back({.kind = DeviceKind::kTest,
                    .space = DeviceSpace::kMmio,
                    .address = guest::kMmioTest,
                    .size = guest::kTestSize});
  }
  return list;
}

/// Has an access without a syndrome told to us, rather than fail the guest's run with a bare error.
void ask_for_accesses_without_syndrome(const PlatformWiring& wiring) {
  kvm_enable_cap capability{};
  capability.cap = KVM_CAP_ARM_NISV_TO_USER;
  if (kvm_ioctl(wiring.vm.fd(), KVM_ENABLE_CAP, &capability) < 0) {
    wiring.log.detail("the host does not tell of device accesses it cannot decode");
  }
}

}  // namespace

Result<std::unique_ptr<Platform>> make_platform(const PlatformWiring& wiring) {
  ask_for_accesses_without_syndrome(wiring);
  auto gic = Gic::create(wiring.vm, wiring.vcpu_count);
  if (!gic) {
    return failure(gic.error());
  }
  wiring.log.detail("interrupt controller: {}", aarch64::name_of(gic->version()));
  auto platform = std::make_unique<ArmPlatform>(wiring, *std::move(gic));
  if (auto done = platform->attach_all(); !done) {
    return failure(done.error());
  }
  return std::unique_ptr<Platform>(std::move(platform));
}

}  // namespace nestling
