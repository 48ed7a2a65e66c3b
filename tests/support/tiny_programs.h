// Guests of a few instructions, for tests that need a machine that does something; one definition
// for each architecture.
#pragma once

#include <cstddef>
#include <span>

#include "addrspace/address.h"
#include "boot/image.h"

namespace nestling {

/// Machine code that runs wherever it stands.
struct TinyPrograms {
  Architecture architecture = Architecture::kX86_64;
  /// In RAM, whatever its size from 4 MiB on.
  GuestPhysAddr address;
  /// Runs in a circle of one instruction.
  std::span<const std::byte> spin;
  /// Masks interrupts and halts; when it is woken, halts again.
  std::span<const std::byte> halt_for_good;
  /// 300 times a byte to the console, then 7 to the exit device.
  std::span<const std::byte> write_many;
};

[[nodiscard]] TinyPrograms tiny_programs();

}  // namespace nestling
