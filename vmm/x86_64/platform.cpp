// The PC-like platform: which device stands at which port, with which interrupt.
#include "vmm/platform.h"

#include <algorithm>
#include <utility>

#include "boot/x86_64/ram_layout.h"
#include "devices/cmos_rtc.h"
#include "devices/debug_console.h"
#include "devices/exit_register.h"
#include "devices/i8042.h"
#include "devices/pvpanic.h"
#include "devices/reset_control.h"
#include "devices/uart_16550.h"
#include "guest/abi.h"
#include "vmm/timer_thread.h"
#include "vmm/x86_64/irqchip.h"

namespace nestling {

namespace {

using x86_64::KvmIrqLine;
using x86_64::UnconnectedIrqLine;

std::unique_ptr<IrqLine> make_irq_line(const PlatformWiring& wiring, std::uint32_t irq) {
  if (wiring.irqchip == Irqchip::kAbsent) {
    return std::make_unique<UnconnectedIrqLine>();
  }
  return std::make_unique<KvmIrqLine>(wiring.vm, irq, wiring.log);
}

CmosRtc::MemorySizes memory_sizes(std::uint64_t ram_size) {
  const std::uint64_t below = std::min(ram_size, x86_64::kDeviceWindow.start().value());
  return {.below_4gib = below, .above_4gib = ram_size - below};
}

class PcPlatform final : public Platform {
 public:
  explicit PcPlatform(const PlatformWiring& wiring)
      : vm_(wiring.vm),
        irqchip_(wiring.irqchip),
        uart_irq_(make_irq_line(wiring, guest::kIrqUart)),
        uart_(wiring.console, *uart_irq_, wiring.console_room),
        debug_console_(wiring.console),
        exit_(wiring.power),
        i8042_(wiring.power),
        reset_control_(wiring.power),
        pvpanic_(wiring.power),
        timers_(clock_, wiring.log),
        rtc_irq_(make_irq_line(wiring, guest::kIrqRtc)),
        rtc_(clock_, timers_, *rtc_irq_, memory_sizes(wiring.ram_size)),
        test_device_(wiring.test_device) {}

  PcPlatform(const PcPlatform&) = delete;
  PcPlatform& operator=(const PcPlatform&) = delete;
  /// No timer may come while the devices go.
  ~PcPlatform() override { timers_.stop(); }

  /// Fails with kBug when two devices claim one address.
  Result<void> attach_all();

  [[nodiscard]] const PortBus& ports() const override { return ports_; }
  [[nodiscard]] const MmioBus& mmio() const override { return mmio_; }
  [[nodiscard]] std::vector<DeviceEntry> device_list() const override;
  [[nodiscard]] std::size_t receive(std::span<const std::byte> bytes) override {
    return uart_.receive(bytes);
  }
  void input_ended() override { uart_.input_ended(); }
  [[nodiscard]] Result<void> complete() override { return {}; }
  [[nodiscard]] bool may_interrupt() const override {
    return irqchip_ == Irqchip::kInKernel &&
           (uart_.may_interrupt() || rtc_.may_interrupt() || x86_64::pit_may_interrupt(vm_));
  }

 private:
  const Vm& vm_;
  Irqchip irqchip_;
  std::unique_ptr<IrqLine> uart_irq_;
  Uart16550 uart_;
  DebugConsole debug_console_;
  ExitRegister exit_;
  I8042 i8042_;
  ResetControl reset_control_;
  Pvpanic pvpanic_;
  SteadyWallClock clock_;
  TimerThread timers_;
  std::unique_ptr<IrqLine> rtc_irq_;
  CmosRtc rtc_;
  Device* test_device_;
  PortBus ports_;
  MmioBus mmio_;
};

/// Where PCI's address register would be; 0xcf9, the reset control, is its second byte.
constexpr std::uint16_t kPortPciAddress = guest::kPortResetControl - 1;

struct PortAttachment {
  const char* name;
  std::uint16_t first;
  std::uint64_t count;
  Device& device;
};

Result<void> PcPlatform::attach_all() {
  const PortAttachment port_devices[] = {
      {"uart", guest::kPortUart, Uart16550::kRegisterCount, uart_},
      {"debug console", guest::kPortDebugConsole, 1, debug_console_},
      {"exit port", guest::kPortExit, 4, exit_},
      {"i8042 data", guest::kPortI8042Data, 1, i8042_.data_port()},
      {"i8042 command", guest::kPortI8042Command, 1, i8042_.command_port()},
      {"reset control", kPortPciAddress, ResetControl::kPortCount, reset_control_},
      {"clock", guest::kPortRtcIndex, CmosRtc::kPortCount, rtc_},
      {"pvpanic", guest::kPortPvpanic, 1, pvpanic_},
  };
  for (const PortAttachment& each : port_devices) {
    if (auto done =
            ports_.attach(each.name, PortRange::of(Port(each.first), each.count), each.device);
        !done) {
      return done;
    }
  }
  if (test_device_ != nullptr) {
    const auto range = GuestPhysRange::of(GuestPhysAddr(guest::kMmioTest), guest::kTestSize);
    if (auto done = mmio_.attach("test device", range, *test_device_); !done) {
      return done;
    }
  }
  return mmio_.attach("exit register", GuestPhysRange::of(GuestPhysAddr(guest::kMmioExit), 4),
                      exit_);
}

std::vector<DeviceEntry> PcPlatform::device_list() const {
  std::vector<DeviceEntry> list = {
      {.kind = DeviceKind::kUart16550,
       .address = guest::kPortUart,
       .size = Uart16550::kRegisterCount,
       .irq = guest::kIrqUart},
      {.kind = DeviceKind::kDebugConsole, .address = guest::kPortDebugConsole, .size = 1},
      {.kind = DeviceKind::kExit, .address = guest::kPortExit, .size = 4},
      {.kind = DeviceKind::kExit,
       .space = DeviceSpace::kMmio,
       .address = guest::kMmioExit,
       .size = 4},
      {.kind = DeviceKind::kRtcCmos,
       .address = guest::kPortRtcIndex,
       .size = CmosRtc::kPortCount,
       .irq = guest::kIrqRtc},
      {.kind = DeviceKind::kPvpanic, .address = guest::kPortPvpanic, .size = 1},
  };
  if (test_device_ != nullptr) {
    list.push_back({.kind = DeviceKind::kTest,
                    .space = DeviceSpace::kMmio,
                    .address = guest::kMmioTest,
                    .size = guest::kTestSize});
  }
  return list;
}

}  // namespace

Result<std::unique_ptr<Platform>> make_platform(const PlatformWiring& wiring) {
  if (wiring.irqchip == Irqchip::kInKernel) {
    if (auto done = x86_64::create_irqchip(wiring.vm); !done) {
      return failure(done.error());
    }
  }
  auto platform = std::make_unique<PcPlatform>(wiring);
  if (auto done = platform->attach_all(); !done) {
    return failure(done.error());
  }
  return std::unique_ptr<Platform>(std::move(platform));
}

}  // namespace nestling
