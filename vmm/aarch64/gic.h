// The in-kernel interrupt controller of an arm64 machine: a GICv3, or a GICv2 where the host has
// no other.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/file_descriptor.h"
#include "base/log.h"
#include "base/result.h"
#include "boot/boot_info.h"
#include "devices/irq_line.h"
#include "vmm/vm.h"

namespace nestling::aarch64 {

enum class GicVersion : std::uint8_t { kV2, kV3 };

/// "GICv3".
[[nodiscard]] std::string_view name_of(GicVersion version);

/// What KVM_IRQ_LINE calls the shared interrupt `intid` (32 and above): the kind of interrupt in
/// bits 27:24, and its number.
[[nodiscard]] constexpr std::uint32_t irq_line_number(std::uint32_t intid) {
  constexpr std::uint32_t kShared = 1U << 24;
  return kShared | intid;
}

/// Lives in KVM; this is what it is told through.
class Gic {
 public:
  /// The newest version that the host has, for at most `vcpu_count` vCPUs, at the addresses of
  /// guest/abi.h. Before the first vCPU. Fails with kHostRefused when there is none, or when the
  /// redistributors of so many vCPUs do not fit.
  [[nodiscard]] static Result<Gic> create(const Vm& vm, std::uint32_t vcpu_count);

  /// Once, after KVM_ARM_VCPU_INIT of the last vCPU and before the first runs. Fails with
  /// kHostRefused.
  [[nodiscard]] Result<void> complete() const;

  /// False when the private interrupt `intid` (below 32) of `vcpu` is not enabled. True where the
  /// host does not tell. While every vCPU is out of the guest.
  [[nodiscard]] bool may_pass(const Vcpu& vcpu, std::uint32_t intid) const;

  [[nodiscard]] GicVersion version() const { return version_; }
  /// Its parts, for boot-info and device tree.
  [[nodiscard]] std::vector<DeviceEntry> device_list() const;

 private:
  Gic(UniqueFd fd, GicVersion version, std::uint32_t vcpu_count)
      : fd_(std::move(fd)), version_(version), vcpu_count_(vcpu_count) {}

  [[nodiscard]] Result<void> place(std::uint64_t part, GuestPhysAddr where) const;

  UniqueFd fd_;
  GicVersion version_;
  std::uint32_t vcpu_count_;
};

/// A shared interrupt as a wire.
class GicIrqLine final : public IrqLine {
 public:
  /// `vm` and `log` must outlive this.
  GicIrqLine(const Vm& vm, std::uint32_t intid, const Log& log)
      : vm_(vm), intid_(intid), log_(log) {}

  void set(IrqLevel level) override;

 private:
  const Vm& vm_;
  std::uint32_t intid_;
  const Log& log_;
};

}  // namespace nestling::aarch64
