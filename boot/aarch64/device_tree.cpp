// One function for each node.
#include "boot/aarch64/device_tree.h"

#include <algorithm>
#include <string>

#include <fmt/core.h>

#include "base/check.h"
#include "boot/aarch64/device_tree_writer.h"

namespace nestling::aarch64 {

namespace {

constexpr std::uint32_t kGicHandle = 1;
constexpr std::uint32_t kClockHandle = 2;
/// Of the crystal that PL011 and PL031 are clocked with on Arm's boards.
constexpr std::uint32_t kPrimeCellHertz = 24'000'000;
/// Of a PC's UARTs.
constexpr std::uint32_t kUart16550Hertz = 1'843'200;

/// The binding of the GIC: kind, number among its kind, trigger.
constexpr std::uint32_t kSharedInterrupt = 0;
constexpr std::uint32_t kPrivateInterrupt = 1;
constexpr std::uint32_t kFirstPrivateInterrupt = 16;
constexpr std::uint32_t kFirstSharedInterrupt = 32;
constexpr std::uint32_t kLevelHigh = 4;
/// Which CPUs a private interrupt goes to, in GICv2's binding.
constexpr std::uint32_t kCpuMaskShift = 8;
constexpr std::uint32_t kMostGicV2Cpus = 8;

/// Private interrupts of the architected timers as Arm recommends them and KVM has them (Arm BSA,
/// "PPI assignments").
constexpr std::uint32_t kTimerInterrupts[] = {29, 30, 27, 26};

const DeviceEntry* find(const Hardware& hardware, DeviceKind kind) {
  const auto found = std::find_if(hardware.devices.begin(), hardware.devices.end(),
                                  [kind](const DeviceEntry& each) { return each.kind == kind; });
  return found == hardware.devices.end() ? nullptr : &*found;
}

std::string name_at(std::string_view name, std::uint64_t address) {
  return fmt::format("{}@{:x}", name, address);
}

/// The tree's name for the device, or an empty one for what has no node of its own.
std::string node_name(const DeviceEntry& device) {
  if (device.space != DeviceSpace::kMmio) {
    return {};
  }
  switch (device.kind) {
    case DeviceKind::kUartPl011:
    case DeviceKind::kUart16550:
      return name_at("serial", device.address);
    case DeviceKind::kRtcPl031:
      return name_at("rtc", device.address);
    case DeviceKind::kPvpanic:
      return name_at("pvpanic", device.address);
    case DeviceKind::kExit:
      return name_at("exit", device.address);
    default:
      return {};
  }
}

/// Writes the nodes of one machine.
class Tree {
 public:
  Tree(const Hardware& hardware, DeviceTreeWriter& out)
      : hardware_(hardware),
        out_(out),
        distributor_(find(hardware, DeviceKind::kGicDistributor)),
        redistributors_(find(hardware, DeviceKind::kGicRedistributors)),
        cpu_interface_(find(hardware, DeviceKind::kGicCpuInterface)) {
    check(distributor_ == nullptr || redistributors_ != nullptr || cpu_interface_ != nullptr,
          "a GIC has a part that belongs to the CPUs");
  }

  void write() {
    out_.text("compatible", "nestling,virt");
    out_.text("model", "Nestling");
    out_.cells("#address-cells", {2});
    out_.cells("#size-cells", {2});
    if (distributor_ != nullptr) {
      out_.cells("interrupt-parent", {kGicHandle});
    }
    out_.node("chosen", [this] { chosen(); });
    out_.node("cpus", [this] { cpus(); });
    for (const GuestPhysRange& range : hardware_.ram) {
      out_.node(name_at("memory", range.start().value()), [&] {
        out_.text("device_type", "memory");
        out_.wide_cells("reg", {range.start().value(), range.size()});
      });
    }
    out_.node("psci", [this] {
      out_.texts("compatible", {"arm,psci-1.0", "arm,psci-0.2"});
      out_.text("method", "hvc");
    });
    if (distributor_ != nullptr) {
      out_.node(name_at("interrupt-controller", distributor_->address), [this] { gic(); });
      out_.node("timer", [this] { timer(); });
    }
    out_.node("clock", [this] { clock(); });
    for (const DeviceEntry& device : hardware_.devices) {
      if (const std::string name = node_name(device); !name.empty()) {
        out_.node(name, [&] { this->device(device); });
      }
    }
  }

 private:
  void chosen() {
    if (!hardware_.command_line.empty()) {
      out_.text("bootargs", hardware_.command_line);
    }
    const DeviceEntry* console = find(hardware_, DeviceKind::kUartPl011);
    if (console == nullptr) {
      console = find(hardware_, DeviceKind::kUart16550);
    }
    if (console != nullptr && !node_name(*console).empty()) {
      out_.text("stdout-path", fmt::format("/{}", node_name(*console)));
    }
    if (hardware_.initrd) {
      const std::uint64_t start = hardware_.initrd->start().value();
      out_.wide_cells("linux,initrd-start", {start});
      out_.wide_cells("linux,initrd-end", {start + hardware_.initrd->size()});
    }
    if (!hardware_.rng_seed.empty()) {
      out_.bytes("rng-seed", hardware_.rng_seed);
    }
  }

  void cpus() {
    out_.cells("#address-cells", {1});
    out_.cells("#size-cells", {0});
    for (std::uint32_t cpu = 0; cpu < hardware_.cpu_count; ++cpu) {
      out_.node(name_at("cpu", cpu_affinity(cpu)), [&] {
        out_.text("device_type", "cpu");
        out_.text("compatible", "arm,armv8");
        out_.cells("reg", {cpu_affinity(cpu)});
        out_.text("enable-method", "psci");
      });
    }
  }

  void gic() {
    const DeviceEntry& second = redistributors_ != nullptr ? *redistributors_ : *cpu_interface_;
    if (redistributors_ != nullptr) {
      out_.text("compatible", "arm,gic-v3");
      out_.cells("#redistributor-regions", {1});
    } else {
      out_.text("compatible", "arm,cortex-a15-gic");
    }
    out_.cells("#interrupt-cells", {3});
    out_.cells("#address-cells", {0});
    out_.flag("interrupt-controller");
    out_.wide_cells("reg",
                    {distributor_->address, distributor_->size, second.address, second.size});
    out_.cells("phandle", {kGicHandle});
  }

  void timer() {
    std::uint32_t flags = kLevelHigh;
    if (redistributors_ == nullptr) {
      const std::uint32_t cpus = std::min(hardware_.cpu_count, kMostGicV2Cpus);
      flags |= ((1U << cpus) - 1) << kCpuMaskShift;
    }
    std::vector<std::uint32_t> interrupts;
    for (const std::uint32_t number : kTimerInterrupts) {
      interrupts.insert(interrupts.end(),
                        {kPrivateInterrupt, number - kFirstPrivateInterrupt, flags});
    }
    out_.text("compatible", "arm,armv8-timer");
    out_.cells("interrupts", interrupts);
    out_.flag("always-on");
  }

  void clock() {
    out_.text("compatible", "fixed-clock");
    out_.cells("#clock-cells", {0});
    out_.cells("clock-frequency", {kPrimeCellHertz});
    out_.text("clock-output-names", "clk24mhz");
    out_.cells("phandle", {kClockHandle});
  }

  void device(const DeviceEntry& device) {
    switch (device.kind) {
      case DeviceKind::kUartPl011:
        out_.texts("compatible", {"arm,pl011", "arm,primecell"});
        out_.texts("clock-names", {"uartclk", "apb_pclk"});
        out_.cells("clocks", {kClockHandle, kClockHandle});
        break;
      case DeviceKind::kRtcPl031:
        out_.texts("compatible", {"arm,pl031", "arm,primecell"});
        out_.text("clock-names", "apb_pclk");
        out_.cells("clocks", {kClockHandle});
        break;
      case DeviceKind::kUart16550:
        out_.text("compatible", "ns16550a");
        out_.cells("clock-frequency", {kUart16550Hertz});
        break;
      case DeviceKind::kPvpanic:
        out_.text("compatible", "qemu,pvpanic-mmio");
        break;
      default:
        out_.text("compatible", "nestling,exit");
        break;
    }
    out_.wide_cells("reg", {device.address, device.size});
    if (distributor_ != nullptr && device.irq != kNoIrq) {
      out_.cells("interrupts", {kSharedInterrupt, device.irq - kFirstSharedInterrupt, kLevelHigh});
    }
  }

  const Hardware& hardware_;
  DeviceTreeWriter& out_;
  const DeviceEntry* distributor_;
  const DeviceEntry* redistributors_;
  const DeviceEntry* cpu_interface_;
};

}  // namespace

std::vector<std::byte> make_device_tree(const Hardware& hardware) {
  return DeviceTreeWriter::build([&](DeviceTreeWriter& out) { Tree(hardware, out).write(); });
}

}  // namespace nestling::aarch64
