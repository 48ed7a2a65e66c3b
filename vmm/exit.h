// Exit: why a vCPU came back from KVM_RUN, as a typed value; the kernel's union is read in
// vcpu.cpp.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <variant>
#include <vector>

#include "addrspace/range.h"
#include "base/result.h"
#include "devices/device.h"

namespace nestling {

/// Which way a register access moves data, seen from the guest.
enum class Direction : std::uint8_t { kRead, kWrite };

/// IN, OUT, INS or OUTS. `data` is `width` bytes for each repetition; for reads the handler fills
/// it in, and the guest sees it at the next run. Valid until then.
struct PortExit {
  Port port;
  Direction direction = Direction::kRead;
  AccessWidth width = AccessWidth::of(1);
  std::span<std::byte> data;
};

class StoppedAccess;

/// A load or store where no memory slot is. `data` as in PortExit, 1 to 8 bytes.
struct MmioExit {
  GuestPhysAddr address;
  Direction direction = Direction::kRead;
  std::span<std::byte> data;
  /// The access itself, where `data` may be more than what `address` lacks; else null, and `data`
  /// are the bytes from `address` on. Valid until the vCPU runs again.
  StoppedAccess* access = nullptr;
};

/// An access as the vCPU that it stopped knows it. Where the hardware tells of the first page that
/// an instruction cannot reach, rather than of bytes, one that straddles a page's edge may have
/// begun before MmioExit::address.
class StoppedAccess {
 public:
  /// The bytes on both sides of the edge; at least one on each.
  struct Parts {
    std::size_t below = 0;  ///< how many stand before the edge
    GuestPhysAddr first;    ///< where the first of them is
    GuestPhysAddr behind;   ///< where the first one behind the edge is
  };

  /// All of an access that the processor does not describe.
  struct Whole {
    /// Bytes in one page, of one register: 1 to 8, as a register access moves.
    struct Piece {
      GuestPhysAddr address;
      std::size_t size = 0;
    };

    Direction direction = Direction::kRead;
    /// In the order of the bytes.
    std::vector<Piece> pieces;
    /// What a store stores; for a load, where its bytes go. As many as the pieces have.
    std::vector<std::byte> data;
  };

  virtual ~StoppedAccess() = default;

  /// Takes the access back, as if its instruction had not begun: the vCPU makes it again when it
  /// runs on. Fails with kHostRefused.
  [[nodiscard]] virtual Result<void> take_back(Direction direction) = 0;
  /// Nothing when the access over which `exit` came straddles no edge, or nobody knows how.
  [[nodiscard]] virtual std::optional<Parts> parts(const MmioExit& exit) = 0;
  /// Of the access over which an UndecodedAccessExit came; nothing when it cannot be told.
  [[nodiscard]] virtual std::optional<Whole> whole() = 0;
  /// Ends that access, whose bytes have been moved: a load's registers get them, and the vCPU goes
  /// on behind the instruction. Fails with kHostRefused.
  [[nodiscard]] virtual Result<void> complete(const Whole& whole) = 0;
};

/// HLT without an in-kernel interrupt controller.
struct HaltExit {
  enum class Interrupts : std::uint8_t { kDisabled, kEnabled };
  Interrupts interrupts = Interrupts::kDisabled;
};

/// x86: the CPU shut down, that is, a triple fault.
struct ShutdownExit {};

/// The guest asked KVM itself to power off, reset or crash (PSCI, Hyper-V).
struct SystemEventExit {
  enum class What : std::uint8_t { kShutdown, kReset, kCrash, kOther };
  What what = What::kOther;
  std::uint32_t raw_type = 0;
  /// What KVM adds: on arm64, 1 for a reset by PSCI SYSTEM_RESET2.
  std::uint64_t flags = 0;
};

/// KVM could not go on; for an emulation failure the instruction bytes, where it tells them.
struct InternalErrorExit {
  /// KVM could not emulate an instruction, perhaps because it could not read it.
  static constexpr std::uint32_t kEmulation = 1;

  std::uint32_t suberror = 0;
  std::array<std::uint64_t, 4> data{};
  std::uint32_t data_count = 0;
  /// kEmulation: where the instruction's bytes are, on one page or two, as far as the guest's
  /// tables say; filled in by the vCPU's runner.
  std::array<GuestPhysRange, 2> instruction{};
};

/// The hardware refused to enter the guest.
struct FailEntryExit {
  std::uint64_t hardware_reason = 0;
};

/// An access to guest memory that KVM cannot resolve by itself.
struct MemoryFaultExit {
  GuestPhysRange range;
  std::uint64_t flags = 0;
};

/// arm64: a load or store where no memory slot is, by an instruction that the processor does not
/// describe: of a pair, with write-back, of SIMD registers.
struct UndecodedAccessExit {
  GuestPhysAddr address;
  /// The instruction-specific part of ESR_EL2.
  std::uint64_t syndrome = 0;
  /// Null where nobody can tell more. Valid until the vCPU runs again.
  StoppedAccess* access = nullptr;
};

/// A signal or a request to stop; nothing happened in the guest.
struct InterruptedExit {};

/// One that we did not ask for.
struct UnknownExit {
  std::uint32_t reason = 0;
};

using Exit =
    std::variant<PortExit, MmioExit, HaltExit, ShutdownExit, SystemEventExit, InternalErrorExit,
                 FailEntryExit, MemoryFaultExit, InterruptedExit, UnknownExit, UndecodedAccessExit>;

inline constexpr std::size_t kExitKinds = std::variant_size_v<Exit>;

/// "port", "mmio", "halt" …: the word for the alternative with this index, in JSON and traces.
[[nodiscard]] constexpr std::string_view exit_kind_name(std::size_t index) {
  constexpr std::array<std::string_view, kExitKinds> kNames = {
      "port",       "mmio",         "halt",        "shutdown", "system-event",    "internal-error",
      "fail-entry", "memory-fault", "interrupted", "unknown",  "undecoded-access"};
  return index < kNames.size() ? kNames.at(index) : "unknown";
}

/// How often each kind of exit came, by index of the variant.
using ExitCounts = std::array<std::uint64_t, kExitKinds>;

}  // namespace nestling
