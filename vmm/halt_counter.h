// HaltCounter: how often a vCPU went to sleep, from KVM's own statistics.
#pragma once

#include <cstdint>
#include <optional>

#include "base/file_descriptor.h"
#include "vmm/vcpu.h"

namespace nestling {

/// Tells a vCPU that slept all the time from one that was woken and fell asleep again: the second
/// one's count has grown. Used by one thread; costs nothing before the first question.
class HaltCounter {
 public:
  /// Halts (x86) or WFIs (arm64) of `vcpu`, which must be the same each time, since it was made.
  /// Nothing where the host does not count them (Linux before 5.14).
  [[nodiscard]] std::optional<std::uint64_t> count(const Vcpu& vcpu);

 private:
  void find(const Vcpu& vcpu);

  bool is_looked_for_ = false;
  UniqueFd statistics_;       // closed where there is no such count
  std::uint64_t offset_ = 0;  // of the count in it
};

}  // namespace nestling
