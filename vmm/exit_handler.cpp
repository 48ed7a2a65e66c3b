// One function for each kind of exit.
#include "vmm/exit_handler.h"

#include <cstring>
#include <string>
#include <utility>

namespace nestling {

namespace {

std::uint64_t load(std::span<const std::byte> bytes) {
  std::uint64_t value = 0;
  std::memcpy(&value, bytes.data(), bytes.size());
  return value;
}

void store(std::span<std::byte> bytes, std::uint64_t value) {
  std::memcpy(bytes.data(), &value, bytes.size());
}

/// Moves `data`, one register access, between the guest and the bus; true when somebody answered.
template <typename AddressType>
bool transfer(const Bus<AddressType>& bus, AddressType address, Direction direction,
              std::span<std::byte> data) {
  using Claimed = typename Bus<AddressType>::Outcome::Claimed;
  const AccessWidth width = AccessWidth::of(data.size());
  if (direction == Direction::kWrite) {
    return bus.write(address, width, load(data)).claimed != Claimed::kNone;
  }
  const auto outcome = bus.read(address, width);
  store(data, outcome.value);
  return outcome.claimed != Claimed::kNone;
}

const char* verb(Direction direction) {
  return direction == Direction::kWrite ? "write to" : "read of";
}

Access access_of(Direction direction) {
  return direction == Direction::kWrite ? Access::write() : Access::read();
}

Verdict unhandled(std::string reason) {
  return {.kind = VerdictKind::kUnhandledExit, .reason = std::move(reason)};
}

std::string internal_error_words(const InternalErrorExit& exit) {
  switch (exit.suberror) {
    case 1:
      return "KVM could not emulate an instruction";
    case 2:
      return "KVM met an exception while it delivered an event (simultaneous exception)";
    case 3:
      return fmt::format("KVM could not deliver an event, vector information {:#x}", exit.data[0]);
    case 4:
      return fmt::format("KVM met an exit reason it does not know, {:#x}", exit.data[0]);
    default:
      return fmt::format("KVM internal error {}", exit.suberror);
  }
}

}  // namespace

/// What becomes of an access that nobody claims.
MemoryEvent::Outcome ExitHandler::unclaimed_outcome(Direction direction) const {
  if (policy_ == UnclaimedPolicy::kStop) {
    return MemoryEvent::Outcome::kStopped;
  }
  return direction == Direction::kWrite ? MemoryEvent::Outcome::kDiscarded
                                        : MemoryEvent::Outcome::kReadOnes;
}

std::optional<Verdict> ExitHandler::on(VcpuId vcpu, const PortExit& exit) {
  // INS and OUTS repeat the access at the same port.
  for (std::size_t done = 0; done < exit.data.size(); done += exit.width.bytes()) {
    const auto data = exit.data.subspan(done, exit.width.bytes());
    if (!transfer(ports_, exit.port, exit.direction, data)) {
      ++unclaimed_count_;
      memory_.tell_port({.actor = actor_of(vcpu),
                         .port = exit.port,
                         .size = exit.width.bytes(),
                         .access = access_of(exit.direction),
                         .outcome = unclaimed_outcome(exit.direction),
                         .data = number_in(data)});
      if (policy_ == UnclaimedPolicy::kStop) {
        return unhandled(fmt::format("unclaimed {}-byte {} port {:#x}", exit.width.bytes(),
                                     verb(exit.direction), exit.port.value()));
      }
    }
  }
  return std::nullopt;
}

/// Whether the access, whose first byte without a slot is where the exit says, may have bytes in
/// another page, and that is more than a device's business: those take aligned accesses only.
bool ExitHandler::may_straddle(const MmioExit& exit) const {
  const std::uint64_t offset = exit.address.value() % kPageSize;
  if (offset != 0 || exit.data.size() < 2) {
    return offset + exit.data.size() > kPageSize;
  }
  const bool is_behind_memory =
      exit.address.value() != 0 && memory_.gap(GuestPhysAddr(exit.address.value() - 1), 1) == 0;
  return is_behind_memory || memory_.gap(exit.address, 1) == 0;
}

std::optional<Verdict> ExitHandler::on(VcpuId vcpu, const MmioExit& exit) {
  if (exit.access == nullptr) {
    return on_bytes(vcpu, exit);
  }
  const auto bytes = GuestPhysRange::of(exit.address, exit.data.size());
  const Access access = access_of(exit.direction);
  if (memory_.exposure(exit.address, access) == MemoryExits::Exposure::kShown) {
    if (auto verdict = memory_.on_missing_page(vcpu, bytes, access)) {
      return verdict;
    }
    if (exit.direction == Direction::kRead) {
      store(exit.data, 0);  // what comes of it is not known here
    }
    const auto done = exit.access->take_back(exit.direction);
    return done ? std::nullopt : std::optional(on_run_failure(done.error()));
  }
  const auto parts = may_straddle(exit) ? exit.access->parts(exit) : std::nullopt;
  if (!parts) {
    return on_bytes(vcpu, exit);
  }
  auto verdict =
      on_bytes(vcpu, MmioExit{parts->first, exit.direction, exit.data.first(parts->below)});
  return verdict ? std::move(verdict)
                 : on_bytes(vcpu, MmioExit{parts->behind, exit.direction,
                                           exit.data.subspan(parts->below)});
}

/// An access that has no bytes but those from its address on.
std::optional<Verdict> ExitHandler::on_bytes(VcpuId vcpu, const MmioExit& exit) {
  // Memory and devices may both have a part in an access that straddles an edge.
  for (std::size_t done = 0; done < exit.data.size();) {
    const auto address = exit.address.plus(done);
    const std::span<std::byte> rest = exit.data.subspan(done);
    if (address) {
      MemoryExits::Piece piece = memory_.access(vcpu, *address, exit.direction, rest);
      if (piece.verdict) {
        return std::move(piece.verdict);
      }
      if (piece.size != 0) {
        done += piece.size;
        continue;
      }
    }
    const std::size_t gap = address ? memory_.gap(*address, rest.size()) : rest.size();
    if (auto verdict = on_bus(vcpu, MmioExit{exit.address.plus(done).value_or(GuestPhysAddr(0)),
                                             exit.direction, rest.first(gap)})) {
      return verdict;
    }
    done += gap;
  }
  return std::nullopt;
}

/// An access, or a piece of one, in which no memory has a part.
std::optional<Verdict> ExitHandler::on_bus(VcpuId vcpu, const MmioExit& exit) {
  if (transfer(mmio_, exit.address, exit.direction, exit.data)) {
    return std::nullopt;
  }
  ++unclaimed_count_;
  memory_.tell({.kind = MemoryEvent::Kind::kUnclaimed,
                .actor = actor_of(vcpu),
                .gpa = exit.address,
                .size = exit.data.size(),
                .access = access_of(exit.direction),
                .outcome = unclaimed_outcome(exit.direction),
                .data = number_in(exit.data)});
  if (policy_ == UnclaimedPolicy::kGoOn) {
    return std::nullopt;
  }
  return unhandled(fmt::format("unclaimed {}-byte {} address {:#x}", exit.data.size(),
                               verb(exit.direction), exit.address.value()));
}

std::optional<Verdict> ExitHandler::on(VcpuId /*vcpu*/, const HaltExit& exit) {
  return Verdict{.kind = VerdictKind::kHang,
                 .reason = exit.interrupts == HaltExit::Interrupts::kEnabled
                               ? "hang: halted, and nothing can raise an interrupt"
                               : "hang: halted with interrupts off"};
}

std::optional<Verdict> ExitHandler::on(VcpuId /*vcpu*/, const ShutdownExit& /*exit*/) {
  return Verdict{.kind = VerdictKind::kTripleFault, .reason = "triple fault"};
}

std::optional<Verdict> ExitHandler::on(VcpuId /*vcpu*/, const SystemEventExit& exit) {
  switch (exit.what) {
    case SystemEventExit::What::kShutdown:
      return Verdict{.kind = VerdictKind::kGuestExit, .reason = "power off"};
    case SystemEventExit::What::kReset:
      return Verdict{
          .kind = VerdictKind::kReset,
          .reason = exit.flags == 0
                        ? "reset asked for through KVM"
                        : fmt::format("reset asked for through KVM, flags {:#x}", exit.flags)};
    case SystemEventExit::What::kCrash:
      return Verdict{.kind = VerdictKind::kGuestPanic, .reason = "crash told to KVM"};
    case SystemEventExit::What::kOther:
      break;
  }
  return unhandled(fmt::format("system event {} of KVM", exit.raw_type));
}

std::optional<Verdict> ExitHandler::on(VcpuId vcpu, const InternalErrorExit& exit) {
  if (exit.suberror == InternalErrorExit::kEmulation) {
    const auto fetch = memory_.on_failed_fetch(vcpu, exit.instruction);
    if (!fetch) {
      return fetch.error();
    }
    // Each time round something has come into being: a failure for another reason ends the run.
    if (*fetch == MemoryExits::Fetch::kPopulated) {
      return std::nullopt;
    }
  }
  return unhandled(internal_error_words(exit));
}

Verdict ExitHandler::on_run_failure(const Error& error) {
  return {.kind = VerdictKind::kHostRefused,
          .reason = fmt::format("{}; {}", error.message, MemoryExits::residency_words())};
}

std::optional<Verdict> ExitHandler::on(VcpuId /*vcpu*/, const FailEntryExit& exit) {
  return unhandled(
      fmt::format("the processor refused to enter the guest, reason {:#x}", exit.hardware_reason));
}

std::optional<Verdict> ExitHandler::on(VcpuId vcpu, const MemoryFaultExit& exit) {
  return memory_.on_memory_fault(vcpu, exit);
}

std::optional<Verdict> ExitHandler::on(VcpuId /*vcpu*/, const InterruptedExit& /*exit*/) {
  return std::nullopt;
}

std::optional<Verdict> ExitHandler::on(VcpuId /*vcpu*/, const UnknownExit& exit) {
  return unhandled(fmt::format("KVM exit reason {}, which Nestling does not know", exit.reason));
}

/// An access that the guest cannot make itself, as no slot will ever be where it goes.
std::optional<Verdict> ExitHandler::make(VcpuId vcpu, StoppedAccess& access,
                                         StoppedAccess::Whole whole) {
  std::size_t done = 0;
  for (const StoppedAccess::Whole::Piece& piece : whole.pieces) {
    const auto data = std::span(whole.data).subspan(done, piece.size);
    if (auto verdict = on_bytes(vcpu, MmioExit{piece.address, whole.direction, data})) {
      return verdict;
    }
    done += piece.size;
  }
  const auto completed = access.complete(whole);
  return completed ? std::nullopt : std::optional(on_run_failure(completed.error()));
}

std::optional<Verdict> ExitHandler::on(VcpuId vcpu, const UndecodedAccessExit& exit) {
  constexpr std::uint64_t kIsWrite = 1U << 6;  // ESR_EL2.WnR
  const Direction direction =
      (exit.syndrome & kIsWrite) != 0 ? Direction::kWrite : Direction::kRead;
  const Access access = access_of(direction);
  const auto unserved = [&](std::string_view what, std::string_view remedy) {
    return unhandled(fmt::format(
        "access to {:#x}, {}, by an instruction that the processor does not describe to KVM (a "
        "pair, write-back, SIMD registers, an atomic one; syndrome {:#x}): {}",
        exit.address.value(), what, exit.syndrome, remedy));
  };
  const MemoryExits::Exposure exposure = memory_.exposure(exit.address, access);
  if (exposure == MemoryExits::Exposure::kShown) {
    // Once its page is there, the instruction that is made again needs no decoding.
    return memory_.on_missing_page(vcpu, GuestPhysRange::of(exit.address, 1), access);
  }
  if (exposure == MemoryExits::Exposure::kNoMemory) {
    return unserved("where no RAM is", "use plain loads and stores for devices");
  }
  auto whole = exit.access != nullptr ? exit.access->whole() : std::nullopt;
  if (whole && whole->direction == direction) {
    return make(vcpu, *exit.access, *std::move(whole));
  }
  return exposure == MemoryExits::Exposure::kDenied
             ? unserved("which its rights deny", "use plain loads and stores there")
             : unserved("which --watch traps", "watch less, or use plain loads and stores there");
}

// NOLINTNEXTLINE(readability-convert-member-functions-to-static): two of the overloads need this.
std::optional<Verdict> ExitHandler::handle(VcpuId vcpu, const Exit& exit) {
  return std::visit([&](const auto& each) { return on(vcpu, each); }, exit);
}

}  // namespace nestling
