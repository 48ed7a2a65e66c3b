// What the registers say of the exception that a stopped arm64 CPU is in.
#pragma once

#include <cstdint>
#include <optional>

#include "vmm/aarch64/cpu_state.h"
#include "vmm/aarch64/guest_view.h"

namespace nestling::aarch64 {

/// True when the CPU stands in the vectors that the boot protocol made: it took an exception, and
/// the guest has no vectors of its own.
[[nodiscard]] bool is_in_boot_vectors(GuestView& view);

/// True when the first instruction of a vector cannot but raise the exception that leads to it: the
/// CPU goes round in a circle of exceptions for ever, with interrupts masked.
[[nodiscard]] bool is_exception_loop(const CpuState& cpu);

/// The registers as they were before the exception that led to `cpu`.
[[nodiscard]] CpuState before_exception(const CpuState& cpu);

}  // namespace nestling::aarch64
