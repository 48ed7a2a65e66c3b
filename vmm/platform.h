// Platform: the devices of a machine, attached to its buses and wired to the world outside.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/log.h"
#include "base/result.h"
#include "boot/boot_info.h"
#include "devices/bus.h"
#include "devices/byte_sink.h"
#include "devices/device.h"
#include "devices/power_switch.h"
#include "devices/room_listener.h"
#include "vmm/vm.h"

namespace nestling {

/// Whether the machine has interrupt controllers, which live in KVM.
enum class Irqchip : std::uint8_t { kAbsent, kInKernel };

/// What devices are wired to; all of it must outlive the platform.
struct PlatformWiring {
  const Vm& vm;
  Irqchip irqchip = Irqchip::kAbsent;
  std::uint64_t ram_size = 0;
  std::uint32_t vcpu_count = 1;
  ByteSink& console;
  PowerSwitch& power;
  RoomListener& console_room;
  /// What answers at guest::kMmioTest; null for nothing.
  Device* test_device = nullptr;
  const Log& log;
};

/// One for each architecture, made by make_platform().
class Platform {
 public:
  virtual ~Platform() = default;

  [[nodiscard]] virtual const PortBus& ports() const = 0;
  [[nodiscard]] virtual const MmioBus& mmio() const = 0;
  /// For the kernel's boot-info.
  [[nodiscard]] virtual std::vector<DeviceEntry> device_list() const = 0;

  /// Console input, as Uart16550::receive().
  [[nodiscard]] virtual std::size_t receive(std::span<const std::byte> bytes) = 0;
  virtual void input_ended() = 0;

  /// Once, after the vCPUs were made and set up, and before the first runs: starts what must know
  /// all of them. Fails with kHostRefused.
  [[nodiscard]] virtual Result<void> complete() = 0;

  /// Whether a timer of this vCPU's, of which KVM tells nothing, may still wake it. Any thread may
  /// call it while every vCPU is out of the guest.
  [[nodiscard]] virtual bool may_have_hidden_timer(const Vcpu& /*vcpu*/) const { return false; }

  /// True while something other than a vCPU can raise an interrupt. Any thread may call it.
  [[nodiscard]] virtual bool may_interrupt() const = 0;
};

/// The architecture's devices, and the interrupt controllers in KVM. After all memory slots, before
/// the first vCPU. Fails with kHostRefused or kBug.
[[nodiscard]] Result<std::unique_ptr<Platform>> make_platform(const PlatformWiring& wiring);

}  // namespace nestling
