// The two smallest guests there are, which the doctor times.
#pragma once

#include <cstddef>
#include <span>

#include "boot/image.h"

namespace nestling {

/// Machine code that runs wherever it stands, and what it is made for. One definition for each
/// architecture.
struct TrialCode {
  Architecture architecture = Architecture::kX86_64;
  /// Where it is put: in RAM.
  GuestPhysAddr address;
  /// Writes to a device for ever: one exit each.
  std::span<const std::byte> device_writes;
  /// Halts for ever: one exit each. Empty where a halt is no exit.
  std::span<const std::byte> halts;
};

[[nodiscard]] TrialCode trial_code();

}  // namespace nestling
