// Loads and stores that an arm64 processor does not describe to a hypervisor: of two registers,
// with write-back, of SIMD registers.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "addrspace/range.h"
#include "vmm/aarch64/cpu_state.h"
#include "vmm/exit.h"

namespace nestling::aarch64 {

struct UndecodedAccess {
  enum class Registers : std::uint8_t { kGeneral, kVector };
  /// What a load makes of an element that is smaller than its general register.
  enum class Extension : std::uint8_t { kZero, kSignTo32, kSignTo64 };
  /// What write-back leaves in the base; 31 is the stack pointer.
  struct NewBase {
    std::uint8_t number = 0;
    std::uint64_t value = 0;

    friend bool operator==(const NewBase&, const NewBase&) = default;
  };

  Direction direction = Direction::kRead;
  GuestVirtAddr address;
  std::uint8_t element_size = 0;  ///< bytes: 1, 2, 4, 8 or 16
  std::uint8_t element_count = 1;
  Registers registers = Registers::kGeneral;
  std::array<std::uint8_t, 2> numbers{};  ///< of the elements; 31 is the zero register
  Extension extension = Extension::kZero;
  std::optional<NewBase> new_base = std::nullopt;

  [[nodiscard]] std::size_t size() const { return std::size_t{element_size} * element_count; }

  friend bool operator==(const UndecodedAccess&, const UndecodedAccess&) = default;
};

/// The most bytes that one such access has.
inline constexpr std::size_t kMostUndecodedBytes = 32;

/// How many of its bytes from the one at `offset` on, below size(), are moved at once: those of one
/// register and in one page, and at most 8, as the architecture promises no more (Arm ARM, "Changes
/// to single-copy atomicity in Armv8.4").
[[nodiscard]] std::size_t piece_size(const UndecodedAccess& access, std::size_t offset);

/// Decodes a load or store that `cpu` is about to execute (Arm ARM, "Loads and Stores"). Nothing
/// for those that the processor describes, for exclusive and atomic ones and tags, and for what the
/// manual calls unpredictable.
[[nodiscard]] std::optional<UndecodedAccess> undecoded_access(std::uint32_t instruction,
                                                              const CpuState& cpu);

/// What a load of `element`, element_size bytes of at most 8, leaves in a general register.
[[nodiscard]] std::uint64_t loaded_value(UndecodedAccess::Extension extension,
                                         std::span<const std::byte> element);

}  // namespace nestling::aarch64
