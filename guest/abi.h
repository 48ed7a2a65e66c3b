// What a guest and Nestling agree on: the boot-info structure, the ELF note, ports and addresses.
// Freestanding: a guest kernel may copy this file.
#pragma once

#include <cstdint>

namespace nestling::guest {

/// "NESTLING" as the bytes stand in memory.
inline constexpr std::uint64_t kBootInfoMagic = 0x474e'494c'5453'454eULL;

/// Handed to the kernel's entry point by address: in RDI on x86_64, in X1 on arm64. All addresses
/// are guest-physical, all sizes in bytes, all integers little-endian.
///
/// The rest of what a kernel finds at its entry point; interrupts are off, and registers that are
/// not named hold zero:
///
/// x86_64: 64-bit mode, flat segments, the first 4 GiB mapped where they are by pages of 2 MiB; RSP
/// at the zero return address on a stack of 16 KiB; SSE may be used; the IDT is empty.
///
/// arm64: EL1 on its own stack pointer, MMU and caches off, as Linux's boot protocol for arm64 has
/// it; X0 is the address of the flattened device tree; SP the end of a stack of 16 KiB; floating
/// point and SIMD may be used. VBAR_EL1 holds vectors of Nestling's: an exception before the kernel
/// has its own ends the run as a triple fault does on x86.
struct BootInfo {
  std::uint64_t magic;    // kBootInfoMagic
  std::uint32_t version;  // 2; a later version only appends fields
  std::uint32_t size;     // of this structure

  std::uint64_t memory_map;         // address of MemoryMapEntry[memory_map_count]
  std::uint64_t memory_map_count;   // entries, ascending by address, disjoint
  std::uint64_t command_line;       // address of the text, which ends with a NUL
  std::uint64_t command_line_size;  // without the NUL

  std::uint64_t devices;       // address of DeviceEntry[device_count]
  std::uint64_t device_count;  // entries

  // From version 2 on.
  std::uint64_t cpu_ids;  // address of std::uint64_t[cpu_count]: what the hardware calls each CPU,
                          // its local APIC's id on x86_64, its MPIDR affinity on arm64
  std::uint64_t cpu_count;  // the first of them runs, the others wait to be started
};
static_assert(sizeof(BootInfo) == 80);

enum class MemoryKind : std::uint32_t {
  kUsable = 1,    // RAM, free for the kernel
  kReserved = 2,  // not RAM, or not to be touched
  kBoot = 3,   // RAM that holds what Nestling handed over: this structure, page tables, GDT, stack;
               // free once the kernel needs none of it
  kImage = 4,  // RAM that holds the kernel's own segments
  kRom = 5,    // may be read and executed; writes go nowhere
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
  kTest = 6,
  // Those of arm64 machines.
  kUartPl011 = 10,
  kRtcPl031 = 11,
  kGicDistributor = 12,     // without one there is no interrupt controller
  kGicCpuInterface = 13,    // GICv2
  kGicRedistributors = 14,  // GICv3, 128 KiB for each CPU
};
enum class DeviceSpace : std::uint32_t { kPort = 1, kMmio = 2 };

struct DeviceEntry {
  DeviceKind kind;
  DeviceSpace space;
  std::uint64_t address;   // first port or guest-physical address
  std::uint64_t size;      // bytes, or ports
  std::uint32_t irq;       // ISA IRQ or GSI, on arm64 the GIC's INTID; kNoIrq where it has none
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

/// arm64 addresses and interrupts (INTIDs: 16 to 31 are a CPU's own, 32 and up are shared).
inline constexpr std::uint64_t kMmioGicDistributor = 0x0800'0000;
inline constexpr std::uint64_t kMmioGicCpuInterface = 0x0801'0000;
inline constexpr std::uint64_t kMmioGicRedistributors = 0x080a'0000;
inline constexpr std::uint64_t kGicRedistributorSize = 0x2'0000;
inline constexpr std::uint64_t kMmioPl011 = 0x0900'0000;
inline constexpr std::uint64_t kMmioPl031 = 0x0901'0000;
inline constexpr std::uint64_t kMmioUart16550 = 0x0902'0000;  // registers are bytes, side by side
inline constexpr std::uint64_t kMmioPvpanic = 0x0903'0000;    // one byte, as the port on x86
inline constexpr std::uint32_t kIntidVirtualTimer = 27;
inline constexpr std::uint32_t kIntidPhysicalTimer = 30;
inline constexpr std::uint32_t kIntidPl011 = 33;
inline constexpr std::uint32_t kIntidPl031 = 34;
inline constexpr std::uint32_t kIntidUart16550 = 35;

/// The exit register in memory: a 4-byte write of the status ends the run. Every architecture's.
inline constexpr std::uint64_t kMmioExit = 0xd000'0000;

/// The test device of `--test-device`, through which a kernel compares its idea of memory with the
/// VMM's. Every architecture's. It has 8-byte registers, accessed whole, in a bank of kTestBankSize
/// bytes for each CPU: write the arguments, then the command, then read status and results.
inline constexpr std::uint64_t kMmioTest = 0xd000'1000;
inline constexpr std::uint64_t kTestBanks = 16;
inline constexpr std::uint64_t kTestBankSize = 0x100;
inline constexpr std::uint64_t kTestSize = kTestBanks * kTestBankSize;
inline constexpr std::uint64_t kTestIdentity = 0x5453'454e'5453'4554;  // "TESTNEST" in memory
inline constexpr std::uint64_t kTestResults = 5;
enum class TestRegister : std::uint64_t {
  kIdentity = 0x00,  // reads kTestIdentity
  kCommand = 0x08,   // a TestCommand when written, the last one's TestStatus when read
  kAddress = 0x10,
  kSize = 0x18,
  kValue = 0x20,
  kFirstResult = 0x40,
};
enum class TestCommand : std::uint64_t {
  // kAddress: guest-virtual; kValue: kTestWrite, kTestFetch, kTestUser or'ed. Results:
  // guest-physical address; bytes of the guest's page; rights its tables give; bytes of the VMM's
  // page, 0 where it has none yet; rights of that. With kGuestFault: the fault's code, on x86 that
  // of
  // the #PF, on arm64 the fault status code.
  kTranslate = 1,
  kRead = 2,       // as a device would. kAddress: guest-physical; kSize: 1 to 8. Result: the value
  kWrite = 3,      // the same, of kValue
  kPopulate = 4,   // kAddress, kSize: whole pages
  kDiscard = 5,    // the same: they are zero when touched again
  kUsage = 6,      // results: bytes resident, bytes mapped
  kQuery = 7,      // kAddress: guest-physical. Results: bytes of the VMM's page or 0, its rights,
                   // TestAreaKind
  kFaultPath = 8,  // result: TestFaultPath
};
enum class TestStatus : std::uint64_t {
  kOk = 0,
  kBadCommand = 1,
  kBadArgument = 2,
  kUnmapped = 3,
  kDenied = 4,
  kOutOfMemory = 5,
  kRefused = 6,
  kGuestFault = 7,
  kTableUnreachable = 8,
  kUnknown = 9,
};
enum class TestAreaKind : std::uint64_t { kNone = 0, kRam = 1, kRom = 2, kAlias = 3, kOther = 4 };
/// How guest pages come into being: the words of --lazy.
enum class TestFaultPath : std::uint64_t { kUffd = 1, kMmio = 2, kFault = 3, kHost = 4, kOff = 5 };
inline constexpr std::uint64_t kTestWrite = 1;  // of an access to translate
inline constexpr std::uint64_t kTestFetch = 2;
inline constexpr std::uint64_t kTestUser = 4;
inline constexpr std::uint64_t kTestReadable = 1;  // rights in results
inline constexpr std::uint64_t kTestWritable = 2;
inline constexpr std::uint64_t kTestExecutable = 4;

}  // namespace nestling::guest
