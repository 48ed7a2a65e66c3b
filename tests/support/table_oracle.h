// A second reading of stage-2 tables, from literal bit numbers; shares no code with the formats.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>

#include "addrspace/access.h"
#include "addrspace/memory_type.h"

namespace nestling::testing::oracle {

/// Which hardware reads the table.
enum class Hardware : std::uint8_t { kEpt, kAmdNested, kAArch64, kRiscV };

/// The tables of one guest as hardware would be told of them.
struct Tables {
  Hardware hardware = Hardware::kEpt;
  unsigned levels = 4;
  unsigned gpa_bits = 48;
  const std::byte* memory = nullptr;  ///< host-physical address 0
  std::uint64_t root = 0;
};

/// A page as hardware sees it.
struct Page {
  std::uint64_t host = 0;  ///< for the very byte that was asked for
  std::uint64_t size = 0;
  Access access;
  MemoryType type = MemoryType::kWriteBack;

  friend bool operator==(const Page&, const Page&) = default;
};
/// Nothing is mapped: an EPT violation, #NPF, translation fault or guest-page fault.
struct Hole {
  friend bool operator==(const Hole&, const Hole&) = default;
};
/// The hardware would call the table malformed, or we never make such an entry.
struct Malformed {
  std::string what;
  friend bool operator==(const Malformed&, const Malformed&) = default;
};
using Outcome = std::variant<Page, Hole, Malformed>;

/// What hardware would find for the guest-physical address `gpa`.
[[nodiscard]] Outcome look_up(const Tables& tables, std::uint64_t gpa);

/// "page of 0x1000 bytes at 0x…", "hole", "malformed: …".
[[nodiscard]] std::string describe(const Outcome& outcome);

}  // namespace nestling::testing::oracle
