// GuestView: the guest's memory as one of its CPUs sees it: walks and bounded reads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "addrspace/aarch64/stage1_walk.h"
#include "addrspace/guest_memory.h"
#include "addrspace/guest_walk.h"
#include "vmm/aarch64/cpu_state.h"

namespace nestling::aarch64 {

/// Looks through a stopped CPU's registers at memory. Changes nothing, and whatever the registers
/// and tables hold, every call ends soon. One thread at a time.
class GuestView {
 public:
  /// `memory` must outlive this.
  GuestView(const CpuState& cpu, GuestMemory& memory)
      : cpu_(cpu), memory_(memory), tables_(memory), translation_(translation_state(cpu)) {}

  [[nodiscard]] const CpuState& cpu() const { return cpu_; }
  [[nodiscard]] const TranslationState& translation() const { return translation_; }

  /// The walk of `address` for an access by the code that runs.
  [[nodiscard]] GuestWalk walk(GuestVirtAddr address, AccessKind kind);

  /// Where the byte at `address` is, whatever rights the page has; nothing when it is not mapped.
  [[nodiscard]] std::optional<GuestPhysAddr> physical(GuestVirtAddr address);

  /// Copies from `address` on, page by page, until `out` is full or a byte is not there. Returns
  /// how many bytes were copied.
  [[nodiscard]] std::size_t read(GuestVirtAddr address, std::span<std::byte> out);

  /// Little-endian; nothing when not all its bytes are there.
  template <typename T>
  [[nodiscard]] std::optional<T> read_object(GuestVirtAddr address) {
    T object{};
    const auto bytes = std::as_writable_bytes(std::span(&object, 1));
    return read(address, bytes) == bytes.size() ? std::optional(object) : std::nullopt;
  }

  /// True when there is guest memory at `address`.
  [[nodiscard]] bool has_memory_at(GuestPhysAddr address);

 private:
  CpuState cpu_;
  GuestMemory& memory_;
  GuestTableMemory tables_;
  TranslationState translation_;
};

}  // namespace nestling::aarch64
