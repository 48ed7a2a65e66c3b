// Accesses that may fault: made, and told how they ended, instead of ending the kernel.
#pragma once

#include <cstdint>

namespace nestling::guest {

/// How an access ended.
struct Probe {
  bool faulted = false;
  /// As the test device gives them: on x86 the error code of the #PF, on arm64 the fault status.
  std::uint64_t fault_code = 0;
  std::uint64_t fault_address = 0;
  std::uint64_t value = 0;  // of a read that did not
};

/// 8 bytes, aligned. One CPU at a time.
[[nodiscard]] Probe probe_read(std::uint64_t virt);
[[nodiscard]] Probe probe_write(std::uint64_t virt, std::uint64_t value);
/// Calls what put_return() has put there.
[[nodiscard]] Probe probe_fetch(std::uint64_t virt);

/// Writes a function that returns at once to `where`, 8 bytes that may be written.
void put_return(std::uint64_t where);

}  // namespace nestling::guest
