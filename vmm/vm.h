// Vm: one virtual machine in KVM: its interrupt lines, and the factory of its vCPUs.
#pragma once

#include <cstdint>
#include <utility>

#include "base/file_descriptor.h"
#include "base/result.h"
#include "devices/irq_line.h"
#include "vmm/vcpu.h"

namespace nestling {

/// Owns a VM's descriptor. Its vCPUs must go before it. Thread-safe, as KVM's ioctls are.
class Vm {
 public:
  Vm(UniqueFd fd, std::uint64_t run_size) : fd_(std::move(fd)), run_size_(run_size) {}

  /// `id` from 0. Fails with kHostRefused.
  [[nodiscard]] Result<Vcpu> create_vcpu(std::uint32_t id);

  /// Sets an input of the in-kernel interrupt controllers. `gsi`: on x86 0–15 reach both PIC and
  /// I/O APIC. Fails with kHostRefused.
  [[nodiscard]] Result<void> set_irq_line(std::uint32_t gsi, IrqLevel level) const;

  [[nodiscard]] int fd() const { return fd_.get(); }

 private:
  UniqueFd fd_;
  std::uint64_t run_size_;
};

}  // namespace nestling
