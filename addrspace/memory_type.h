// MemoryType: how a mapping lets the CPU cache, gather and reorder accesses, for every
// architecture.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace nestling {

/// The union of what the entry formats can say. A format refuses what it cannot honour; where it
/// has one type for several of these (x86 has no device flavours), its effective_type() tells which
/// one a mapping will really have.
enum class MemoryType : std::uint8_t {
  kWriteBack,       ///< ordinary RAM
  kWriteThrough,    ///< cached reads, writes go to memory
  kWriteProtected,  ///< cached reads, writes uncached (x86 EPT only)
  kWriteCombining,  ///< not cached, gathered and reordered: x86 WC, Arm normal non-cacheable
  kUncached,        ///< every access as issued, in order: x86 UC, RISC-V I/O
  kDeviceGre,       ///< Arm device: may gather, reorder, acknowledge early
  kDeviceNGre,      ///< Arm device: no gathering
  kDeviceNGnRe,     ///< Arm device: no gathering, no reordering
  kDeviceNGnRnE,    ///< Arm device: strongest, for Arm what kUncached is elsewhere
};

/// Every MemoryType, for loops over all of them.
inline constexpr std::array<MemoryType, 9> kMemoryTypes = {
    MemoryType::kWriteBack,      MemoryType::kWriteThrough, MemoryType::kWriteProtected,
    MemoryType::kWriteCombining, MemoryType::kUncached,     MemoryType::kDeviceGre,
    MemoryType::kDeviceNGre,     MemoryType::kDeviceNGnRe,  MemoryType::kDeviceNGnRnE,
};

/// "write-back" and so on, for maps and messages.
[[nodiscard]] constexpr std::string_view name_of(MemoryType type) {
  switch (type) {
    case MemoryType::kWriteBack:
      return "write-back";
    case MemoryType::kWriteThrough:
      return "write-through";
    case MemoryType::kWriteProtected:
      return "write-protected";
    case MemoryType::kWriteCombining:
      return "write-combining";
    case MemoryType::kUncached:
      return "uncached";
    case MemoryType::kDeviceGre:
      return "device-GRE";
    case MemoryType::kDeviceNGre:
      return "device-nGRE";
    case MemoryType::kDeviceNGnRe:
      return "device-nGnRE";
    case MemoryType::kDeviceNGnRnE:
      return "device-nGnRnE";
  }
  return "unknown";
}

/// True for types whose accesses have side effects, so that nothing may be read ahead.
[[nodiscard]] constexpr bool is_device(MemoryType type) { return type >= MemoryType::kUncached; }

}  // namespace nestling
