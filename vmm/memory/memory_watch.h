// MemoryWatch: stops a guest from taking more memory than the host has, before the host kills.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "addrspace/view_observer.h"
#include "vmm/memory/host_memory.h"

namespace nestling {

/// Two ways of looking. Where every page comes into being through the view, as an observer that
/// refuses to populate what the host cannot give. Where the host pages in by itself, by looking
/// from time to time.
class MemoryWatch final : public ViewObserver {
 public:
  /// `resident`: bytes of this process that the host holds now.
  MemoryWatch(HostMemory host, std::function<std::uint64_t()> resident)
      : host_(std::move(host)), resident_(std::move(resident)) {}

  /// Refuses what would leave the host with too little. Looks once for every few MiB.
  [[nodiscard]] Result<void> permits(const ViewChange& change) override;
  void changed(const ViewChange& /*change*/) override {}

  /// Why the guest has to stop now, or nothing. Blames no guest that has hardly any memory.
  [[nodiscard]] std::optional<std::string> shortage() const;
  /// True when the host could give `bytes` more and still have its reserve, or cannot be asked.
  [[nodiscard]] bool has_room_for(std::uint64_t bytes) const;

 private:
  HostMemory host_;
  std::function<std::uint64_t()> resident_;
  std::uint64_t populated_since_look_ = 0;  // guarded by the address space's writer lock
};

/// The bytes of this process that are resident, by /proc/self/statm; 0 where that cannot be read.
[[nodiscard]] std::uint64_t resident_bytes_of_process();

}  // namespace nestling
