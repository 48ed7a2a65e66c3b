// The boot-info structure that a kernel finds at its entry point, as Nestling writes it.
#pragma once

#include <cstdint>

namespace nestling {

/// "NESTLING" as the bytes stand in memory.
inline constexpr std::uint64_t kBootInfoMagic = 0x474e'494c'5453'454eULL;
inline constexpr std::uint32_t kBootInfoVersion = 2;

/// All addresses are guest-physical, all sizes in bytes, all integers little-endian. The guests'
/// side of this contract is a header of their own; a test holds the two together.
struct BootInfo {
  std::uint64_t magic = kBootInfoMagic;
  std::uint32_t version = kBootInfoVersion;
  std::uint32_t size = 0;  ///< of this structure

  std::uint64_t memory_map = 0;         ///< where the MemoryMapEntry[memory_map_count] stand
  std::uint64_t memory_map_count = 0;   ///< entries, ascending by address, disjoint
  std::uint64_t command_line = 0;       ///< where the text stands, which ends with a NUL
  std::uint64_t command_line_size = 0;  ///< without the NUL

  std::uint64_t devices = 0;       ///< where the DeviceEntry[device_count] stand
  std::uint64_t device_count = 0;  ///< entries

  // From version 2 on.
  std::uint64_t cpu_ids = 0;  ///< where std::uint64_t[cpu_count] stand: APIC ids, MPIDR affinities
  std::uint64_t cpu_count = 0;  ///< the first of them runs, the others wait to be started
};
static_assert(sizeof(BootInfo) == 80);

enum class MemoryKind : std::uint32_t {
  kUsable = 1,    ///< RAM, free for the kernel
  kReserved = 2,  ///< not RAM, or not to be touched
  kBoot = 3,      ///< RAM that holds what Nestling handed over
  kImage = 4,     ///< RAM that holds the kernel's own segments
  kRom = 5,       ///< may be read and executed; writes go nowhere
};

struct MemoryMapEntry {
  std::uint64_t start = 0;
  std::uint64_t size = 0;
  MemoryKind kind = MemoryKind::kReserved;
  std::uint32_t reserved = 0;

  friend bool operator==(const MemoryMapEntry&, const MemoryMapEntry&) = default;
};
static_assert(sizeof(MemoryMapEntry) == 24);

enum class DeviceKind : std::uint32_t {
  kUart16550 = 1,
  kDebugConsole = 2,
  kExit = 3,
  kRtcCmos = 4,
  kPvpanic = 5,
  kTest = 6,
  // Those of arm64 machines.
  kUartPl011 = 10,
  kRtcPl031 = 11,
  kGicDistributor = 12,
  kGicCpuInterface = 13,    ///< GICv2
  kGicRedistributors = 14,  ///< GICv3
};
enum class DeviceSpace : std::uint32_t { kPort = 1, kMmio = 2 };

/// `irq` of a device that has none.
inline constexpr std::uint32_t kNoIrq = 0xffff'ffff;

struct DeviceEntry {
  DeviceKind kind = DeviceKind::kUart16550;
  DeviceSpace space = DeviceSpace::kPort;
  std::uint64_t address = 0;   ///< first port or guest-physical address
  std::uint64_t size = 0;      ///< bytes, or ports
  std::uint32_t irq = kNoIrq;  ///< ISA IRQ or GSI, on arm64 the GIC's INTID
  std::uint32_t reserved = 0;

  friend bool operator==(const DeviceEntry&, const DeviceEntry&) = default;
};
static_assert(sizeof(DeviceEntry) == 32);

}  // namespace nestling
