// The in-kernel interrupt controllers of a PC: PICs, I/O APIC, local APICs and the PIT.
#pragma once

#include <cstdint>

#include "base/log.h"
#include "base/result.h"
#include "devices/irq_line.h"
#include "vmm/vm.h"

namespace nestling::x86_64 {

/// Creates them in `vm`, which must have all its memory slots (afterwards the next slot waits for
/// the kernel, up to 15 ms) and no vCPU yet. Fails with kHostRefused.
[[nodiscard]] Result<void> create_irqchip(const Vm& vm);

/// One input of the controllers: an ISA interrupt, which reaches both PIC and I/O APIC.
class KvmIrqLine final : public IrqLine {
 public:
  /// `vm` and `log` must outlive this.
  KvmIrqLine(const Vm& vm, std::uint32_t irq, const Log& log) : vm_(vm), irq_(irq), log_(log) {}

  void set(IrqLevel level) override;

 private:
  const Vm& vm_;
  std::uint32_t irq_;
  const Log& log_;
};

/// The wire of a machine without interrupt controllers: leads nowhere.
class UnconnectedIrqLine final : public IrqLine {
 public:
  void set(IrqLevel /*level*/) override {}
};

/// True when the PIT ticks and at least one controller passes its interrupt on. False too when the
/// host does not tell.
[[nodiscard]] bool pit_may_interrupt(const Vm& vm);

}  // namespace nestling::x86_64
