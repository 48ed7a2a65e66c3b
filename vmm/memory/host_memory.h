// HostMemory: how much memory the host can still give this process before it starts killing.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace nestling {

/// What is left, and by whose word.
struct HostRoom {
  std::uint64_t bytes = 0;
  /// Below this there is too little left to go on safely.
  std::uint64_t reserve = 0;
  /// "the host" or "the control group /user.slice/…".
  std::string whose;

  [[nodiscard]] bool is_short() const { return bytes < reserve; }
};

/// Asks /proc/meminfo and the process's control groups. Costs some file reads each time.
class HostMemory {
 public:
  /// Files are looked for under `root`, which is "" but in tests.
  explicit HostMemory(std::string root = "") : root_(std::move(root)) {}

  /// The scarcest of what the host has available and what each control group above this process
  /// allows. Nothing where none of it can be read.
  [[nodiscard]] std::optional<HostRoom> room() const;

 private:
  std::string root_;
};

/// What there is to say when `room` is short while `resident` bytes are the guest's.
[[nodiscard]] std::string shortage_words(const HostRoom& room, std::uint64_t resident);

}  // namespace nestling
