// GuestView: the guest's memory as one of its CPUs sees it: linear addresses, walks, bounded reads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "addrspace/guest_memory.h"
#include "addrspace/guest_walk.h"
#include "addrspace/x86_64/stage1_walk.h"
#include "vmm/x86_64/cpu_state.h"

namespace nestling::x86_64 {

/// What the instruction at CS:RIP is decoded as.
enum class CodeSize : std::uint8_t { k16, k32, k64 };

/// Looks through a stopped CPU's registers at memory. Changes nothing, and whatever the registers
/// and tables hold, every call ends soon. One thread at a time.
class GuestView {
 public:
  /// `memory` must outlive this.
  GuestView(const CpuState& cpu, GuestMemory& memory, const PagingFeatures& features);

  [[nodiscard]] const CpuState& cpu() const { return cpu_; }
  [[nodiscard]] const PagingState& paging() const { return paging_; }
  [[nodiscard]] CodeSize code_size() const;
  /// CPL.
  [[nodiscard]] std::uint8_t privilege_level() const { return cpu_.ss.privilege_level; }

  /// RIP and RSP as linear addresses: with the base of CS and SS where those count.
  [[nodiscard]] GuestVirtAddr instruction() const;
  [[nodiscard]] GuestVirtAddr stack() const;

  /// The walk of `address` for an access by the code that runs.
  [[nodiscard]] GuestWalk walk(GuestVirtAddr address, AccessKind kind);
  /// The same for an access the processor makes by itself, to the IDT or the TSS.
  [[nodiscard]] GuestWalk walk_as_system(GuestVirtAddr address, AccessKind kind);

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
  PagingState paging_;
};

}  // namespace nestling::x86_64
