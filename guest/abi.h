// What a guest and Nestling agree on: the boot-info structure, the ELF note, ports and addresses.
// Freestanding: a guest kernel may copy this file.
#pragma once

#include <cstdint>

namespace nestling::guest {

/// "NESTLING" as the bytes stand in memory.
inline constexpr std::uint64_t kBootInfoMagic = 0x474e'494c'5453'454eULL;

/// Handed to the kernel's entry point by address: in RDI on x86_64, in X0 on arm64. All addresses
/// are guest-physical, all sizes in bytes, all integers little-endian.
struct BootInfo {
  std::uint64_t magic;    // kBootInfoMagic
  std::uint32_t version;  // 1; a later version only appends fields
  std::uint32_t size;     // of this structure

  std::uint64_t memory_map;         // address of MemoryMapEntry[memory_map_count]
  std::uint64_t memory_map_count;   // entries, ascending by address, disjoint
  std::uint64_t command_line;       // address of the text, which ends with a NUL
  std::uint64_t command_line_size;  // without the NUL

  std::uint64_t devices;       // address of DeviceEntry[device_count]
  std::uint64_t device_count;  // entries
};
static_assert(sizeof(BootInfo) == 64);

enum class MemoryKind : std::uint32_t {
  kUsable = 1,    // RAM, free for the kernel
  kReserved = 2,  // not RAM, or not to be touched
  kBoot = 3,   // RAM that holds what Nestling handed over: this structure, page tables, GDT, stack;
               // free once the kernel needs none of it
  kImage = 4,  // RAM that holds the kernel's own segments
};

struct MemoryMapEntry {
  std::uint64_t start;
  std::uint64_t size;
  MemoryKind kind;
  std::uint32_t reserved;  // 0
};
static_assert(sizeof(MemoryMapEntry) == 24);

enum class DeviceKind : std::uint32_t {
  kUart16550 = 1,
  kDebugConsole = 2,
  kExit = 3,  // write the exit status
  kRtcCmos = 4,
  kPvpanic = 5,
};
enum class DeviceSpace : std::uint32_t { kPort = 1, kMmio = 2 };

struct DeviceEntry {
  DeviceKind kind;
  DeviceSpace space;
  std::uint64_t address;   // first port or guest-physical address
  std::uint64_t size;      // bytes, or ports
  std::uint32_t irq;       // ISA IRQ or GSI; kNoIrq where it has none
  std::uint32_t reserved;  // 0
};
static_assert(sizeof(DeviceEntry) == 32);
inline constexpr std::uint32_t kNoIrq = 0xffff'ffff;

/// An ELF note that states what the kernel needs. Owner "Nestling" (with its NUL, 9 bytes), type
/// kNoteNeeds, and 4 bytes of flags.
inline constexpr char kNoteOwner[] = "Nestling";
inline constexpr std::uint32_t kNoteNeeds = 1;
inline constexpr std::uint32_t kNeedsIrqchip =
    1U << 0;  // interrupt controllers and a timer in the kernel

/// x86 ports.
inline constexpr std::uint16_t kPortUart = 0x3f8;
inline constexpr std::uint32_t kIrqUart = 4;
inline constexpr std::uint16_t kPortDebugConsole = 0xe9;
inline constexpr std::uint16_t kPortExit = 0xf4;
inline constexpr std::uint16_t kPortRtcIndex = 0x70;
inline constexpr std::uint16_t kPortRtcData = 0x71;
inline constexpr std::uint32_t kIrqRtc = 8;
inline constexpr std::uint16_t kPortPvpanic = 0x505;
inline constexpr std::uint8_t kPvpanicPanicked = 1U << 0;     // the guest gave up
inline constexpr std::uint8_t kPvpanicCrashLoaded = 1U << 1;  // and looks after it itself
inline constexpr std::uint16_t kPortI8042Data = 0x60;
inline constexpr std::uint16_t kPortI8042Command = 0x64;
inline constexpr std::uint8_t kI8042Reset = 0xfe;  // to the command port
inline constexpr std::uint16_t kPortResetControl = 0xcf9;
inline constexpr std::uint8_t kResetControlReset = 0x06;  // hard reset, and now

/// The exit register in memory: a 4-byte write of the status ends the run.
inline constexpr std::uint64_t kMmioExit = 0xd000'0000;

}  // namespace nestling::guest
