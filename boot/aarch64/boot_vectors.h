// The exception vectors that a kernel starts with on arm64: each tells the VMM that nobody handled
// the exception, as a triple fault does on x86.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "addrspace/range.h"

namespace nestling::aarch64 {

/// Reads of 4 bytes here come from the vectors; vector n reads kFaultRegisters + 4 × n. It is the
/// last page below RAM: vectors at the start of RAM reach it without the help of a register.
inline constexpr GuestPhysRange kFaultRegisters =
    GuestPhysRange::of(GuestPhysAddr(0x3fff'f000), kPageSize);

inline constexpr std::size_t kVectorCount = 16;
inline constexpr std::uint64_t kVectorSize = 0x80;
inline constexpr std::uint64_t kVectorsSize = kVectorCount * kVectorSize;

using BootVectors = std::array<std::uint32_t, kVectorsSize / sizeof(std::uint32_t)>;

/// The code that will stand at `base`, which is 2 KiB aligned: each vector is one load to the zero
/// register, which changes no register of the guest's, and a branch to itself. Nothing where the
/// fault registers are further away than the 1 MiB that such a load reaches.
[[nodiscard]] std::optional<BootVectors> make_boot_vectors(GuestPhysAddr base);

/// "synchronous exception", "IRQ", "FIQ" or "SError", from where: for the number of a vector, which
/// is below kVectorCount (Arm ARM, "Exception vectors").
[[nodiscard]] std::string_view vector_name(std::size_t vector);

}  // namespace nestling::aarch64
