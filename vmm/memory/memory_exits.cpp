// Accesses completed through the view, byte for byte.
#include "vmm/memory/memory_exits.h"

#include <algorithm>
#include <atomic>
#include <cstring>

#include <fmt/core.h>

#include "vmm/memory/host_memory.h"
#include "vmm/memory/memory_watch.h"
#include "vmm/memory/slot_mirror.h"

namespace nestling {

namespace {

/// As the processor would: a naturally aligned access is never seen half made.
template <typename Word>
bool copy_whole(std::byte* to, const std::byte* from, Direction direction) {
  std::byte* const guest = direction == Direction::kWrite ? to : const_cast<std::byte*>(from);
  if (reinterpret_cast<std::uintptr_t>(guest) % sizeof(Word) != 0) {
    return false;
  }
  const std::atomic_ref<Word> shared(*reinterpret_cast<Word*>(guest));
  Word value = 0;
  if (direction == Direction::kWrite) {
    std::memcpy(&value, from, sizeof value);
    shared.store(value, std::memory_order_release);
  } else {
    value = shared.load(std::memory_order_acquire);
    std::memcpy(to, &value, sizeof value);
  }
  return true;
}

/// Moves one span of an access between the guest's bytes and the exit's.
void move_bytes(std::span<std::byte> guest, std::span<std::byte> data, Direction direction) {
  std::byte* const to = direction == Direction::kWrite ? guest.data() : data.data();
  const std::byte* const from = direction == Direction::kWrite ? data.data() : guest.data();
  bool is_done = false;
  switch (guest.size()) {
    case sizeof(std::uint64_t):
      is_done = copy_whole<std::uint64_t>(to, from, direction);
      break;
    case sizeof(std::uint32_t):
      is_done = copy_whole<std::uint32_t>(to, from, direction);
      break;
    case sizeof(std::uint16_t):
      is_done = copy_whole<std::uint16_t>(to, from, direction);
      break;
    default:
      break;
  }
  if (!is_done) {
    std::memcpy(to, from, guest.size());
  }
}

}  // namespace

std::string shortage_words(AddressSpace& space, GuestPhysAddr address) {
  // Asked once more for the words: the guest may have been short only for a moment.
  const auto page = GuestPhysRange::of(address.aligned_down(kPageSize), kPageSize);
  const auto again = space.populate(page);
  const RamPool::Statistics pool = space.pool().statistics();
  std::string words = fmt::format("guest memory at {:#x} cannot be populated; {} KiB are resident",
                                  address.value(), pool.committed / 1024);
  if (pool.limit != UINT64_MAX) {
    words += fmt::format(", --memory-limit allows {} KiB", pool.limit / 1024);
  }
  if (!again && !again.error().detail.empty()) {
    words += fmt::format(" ({})", again.error().detail);
  }
  return words;
}

MemoryExits::MemoryExits(AddressSpace& space, const Options& options)
    : space_(space), options_(options), repeats_(options.vcpu_count) {}

std::optional<Area> MemoryExits::area_at(GuestPhysAddr address) const {
  std::optional<Area> found;
  space_.visit_areas(GuestPhysRange::of(address, 1), [&](const Area& area) { found = area; });
  return found;
}

std::size_t MemoryExits::gap(GuestPhysAddr address, std::size_t size) const {
  const auto all = GuestPhysRange::make(address, size);
  std::size_t length = size;
  if (all) {
    space_.visit_areas(*all, [&](const Area& area) {
      const GuestPhysAddr start = std::max(area.range.start(), address);
      length = std::min<std::size_t>(length, start.offset_from(address));
    });
  }
  return length;
}

Verdict MemoryExits::out_of_memory(GuestPhysAddr address) const {
  return {.kind = VerdictKind::kHostRefused, .reason = shortage_words(space_, address)};
}

std::optional<std::uint64_t> number_in(std::span<const std::byte> data) {
  std::uint64_t number = 0;
  if (data.size() > sizeof number) {
    return std::nullopt;
  }
  std::memcpy(&number, data.data(), data.size());
  return number;
}

void MemoryExits::tell_if_watched(const Attempt& attempt, std::span<const std::byte> data) const {
  if (options_.watches != nullptr &&
      options_.watches->hit_by(attempt.range, attempt.access) != nullptr) {
    tell({.kind = MemoryEvent::Kind::kWatch,
          .actor = attempt.actor,
          .gpa = attempt.range.start(),
          .size = attempt.range.size(),
          .access = attempt.access,
          .outcome = MemoryEvent::Outcome::kCompleted,
          .data = number_in(data)});
  }
}

MemoryExits::Piece MemoryExits::deny(const Attempt& attempt, std::span<std::byte> data) {
  const bool writes = attempt.access == Access::write();
  (writes ? denied_writes_ : denied_reads_).fetch_add(1, std::memory_order_relaxed);
  if (!writes) {
    std::memset(data.data(), 0xff, data.size());
  }
  const bool stops = options_.denied == UnclaimedPolicy::kStop;
  tell({.kind = MemoryEvent::Kind::kViolation,
        .actor = attempt.actor,
        .gpa = attempt.range.start(),
        .size = attempt.range.size(),
        .access = attempt.access,
        .outcome = stops    ? MemoryEvent::Outcome::kStopped
                   : writes ? MemoryEvent::Outcome::kDiscarded
                            : MemoryEvent::Outcome::kReadOnes,
        .data = number_in(data)});
  Piece piece{.size = data.size(), .verdict = std::nullopt};
  if (stops) {
    piece.verdict = Verdict{.kind = VerdictKind::kUnhandledExit,
                            .reason = fmt::format("{}-byte {} {:#x}", data.size(),
                                                  writes ? "write to read-only memory at"
                                                         : "read of unreadable memory at",
                                                  attempt.range.start().value())};
  }
  return piece;
}

/// Populates what the attempt's first byte needs, counts it and tells of it.
Result<FaultOutcome, Verdict> MemoryExits::fault(const Attempt& attempt) {
  const GuestPhysAddr address = attempt.range.start();
  const FaultResult result = space_.handle_page_fault(address, attempt.access, attempt.actor);
  using Outcome = MemoryEvent::Outcome;
  MemoryEvent event{.kind = MemoryEvent::Kind::kFault,
                    .actor = attempt.actor,
                    .gpa = address,
                    .size = attempt.range.size(),
                    .access = attempt.access,
                    .outcome = Outcome::kPopulated};
  if (result.outcome == FaultOutcome::kOutOfMemory || result.outcome == FaultOutcome::kRefused) {
    event.outcome = Outcome::kOutOfMemory;
    tell(event);
    return failure(out_of_memory(address));
  }
  if (result.outcome == FaultOutcome::kAlreadyPresent) {
    event.outcome = Outcome::kPresent;
  }
  tell(event);
  return result.outcome;
}

MemoryExits::Piece MemoryExits::access(VcpuId vcpu, GuestPhysAddr address, Direction direction,
                                       std::span<std::byte> data) {
  const std::optional<Area> area = area_at(address);
  if (!area) {
    return {};
  }
  const std::uint64_t left = area->range.last().offset_from(address) + std::uint64_t{1};
  data = data.first(std::min<std::uint64_t>(data.size(), left));
  const Attempt attempt{
      .actor = actor_of(vcpu),
      .range = GuestPhysRange::of(address, data.size()),
      .access = direction == Direction::kWrite ? Access::write() : Access::read()};
  if (!area->access.allows(attempt.access)) {
    return deny(attempt, data);
  }
  const auto outcome = fault(attempt);
  if (!outcome) {
    return {.size = data.size(), .verdict = outcome.error()};
  }
  const auto spans = space_.translated_byte_buffer(attempt.range, attempt.access,
                                                   Unpopulated::kIsPopulated, attempt.actor);
  if (!spans) {
    if (spans.error().reason == MemoryFault::Reason::kOutOfMemory) {
      return {.size = data.size(), .verdict = out_of_memory(spans.error().address)};
    }
    // Unmapped or protected since we looked: what it is now decides.
    return access(vcpu, address, direction, data);
  }
  (*outcome == FaultOutcome::kResolved ? populated_ : completed_)
      .fetch_add(1, std::memory_order_relaxed);
  std::size_t done = 0;
  for (const std::span<std::byte> span : spans->spans()) {
    move_bytes(span, data.subspan(done, span.size()), direction);
    done += span.size();
  }
  tell_if_watched(attempt, data);
  return {.size = data.size(), .verdict = std::nullopt};
}

MemoryExits::Exposure MemoryExits::exposure(GuestPhysAddr address, Access access) const {
  const std::optional<Area> area = area_at(address);
  if (!area) {
    return Exposure::kNoMemory;
  }
  const auto rights = slot_rights(area->access, area->type);
  if (!rights || !area->access.allows(access)) {
    return Exposure::kDenied;
  }
  const bool is_trapped = options_.watches != nullptr && options_.watches->traps(address, access);
  return is_trapped ? Exposure::kTrapped : Exposure::kShown;
}

/// Counts the exits over a page that is there. Another vCPU may have been faster, now and then, but
/// a page that stays out of reach is no want of frames.
bool MemoryExits::is_in_vain(VcpuId vcpu, GuestPhysAddr page, FaultOutcome outcome) {
  constexpr std::uint32_t kMostRepeats = 100;
  Repeats& repeats = repeats_.at(index_of(vcpu));
  // It may also have been taken away again meanwhile.
  const std::uint64_t generation = space_.generation();
  const bool repeated = outcome != FaultOutcome::kResolved && repeats.page == page &&
                        repeats.generation == generation;
  repeats = {.page = page, .generation = generation, .count = repeated ? repeats.count + 1 : 0};
  return repeats.count >= kMostRepeats;
}

std::optional<Verdict> MemoryExits::on_missing_page(VcpuId vcpu, GuestPhysRange bytes,
                                                    Access access) {
  const auto outcome = fault({.actor = actor_of(vcpu), .range = bytes, .access = access});
  if (!outcome) {
    return outcome.error();
  }
  if (is_in_vain(vcpu, bytes.start().aligned_down(kPageSize), *outcome)) {
    return Verdict{.kind = VerdictKind::kUnhandledExit,
                   .reason = fmt::format("access to {:#x}: it is populated, and KVM cannot reach "
                                         "it all the same",
                                         bytes.start().value())};
  }
  (*outcome == FaultOutcome::kResolved ? populated_ : completed_)
      .fetch_add(1, std::memory_order_relaxed);
  return std::nullopt;
}

std::optional<Verdict> MemoryExits::on_memory_fault(VcpuId vcpu, const MemoryFaultExit& exit) {
  const auto unserved = [&](std::string_view why) {
    return Verdict{
        .kind = VerdictKind::kUnhandledExit,
        .reason = fmt::format("memory fault at {:#x}, {:#x} bytes, flags {:#x}: {}",
                              exit.range.start().value(), exit.range.size(), exit.flags, why)};
  };
  // A range that says nothing, or everything, is no page to populate.
  constexpr std::uint64_t kMostBytes = 1ULL << 30;
  if (exit.range.is_empty() || exit.range.size() > kMostBytes) {
    return unserved("it names no page");
  }
  const GuestPhysAddr first = exit.range.start().aligned_down(kPageSize);
  bool has_changed = false;
  for (std::uint64_t offset = 0; first + offset <= exit.range.last();) {
    const GuestPhysAddr page = first + offset;
    if (!area_at(page)) {
      return unserved("no memory is there");
    }
    const auto outcome = fault({.actor = actor_of(vcpu),
                                .range = GuestPhysRange::of(page, kPageSize),
                                .access = Access::none()});
    if (!outcome) {
      return outcome.error();
    }
    has_changed = has_changed || *outcome == FaultOutcome::kResolved;
    offset += kPageSize;
    if (!(first.plus(offset))) {
      break;
    }
  }
  if (is_in_vain(vcpu, first,
                 has_changed ? FaultOutcome::kResolved : FaultOutcome::kAlreadyPresent)) {
    return unserved("it is populated, and KVM cannot reach it all the same");
  }
  memory_faults_.fetch_add(1, std::memory_order_relaxed);
  return std::nullopt;
}

Result<MemoryExits::Fetch, Verdict> MemoryExits::on_failed_fetch(
    VcpuId vcpu, std::span<const GuestPhysRange> instruction) {
  Fetch result = Fetch::kWasThere;
  for (const GuestPhysRange& range : instruction) {
    if (range.is_empty() || !area_at(range.start())) {
      continue;
    }
    const auto outcome =
        fault({.actor = actor_of(vcpu), .range = range, .access = Access::execute()});
    if (!outcome) {
      return failure(outcome.error());
    }
    if (*outcome == FaultOutcome::kResolved) {
      fetches_.fetch_add(1, std::memory_order_relaxed);
      result = Fetch::kPopulated;
    }
  }
  return result;
}

std::string MemoryExits::residency_words() {
  const std::optional<HostRoom> room = HostMemory().room();
  std::string words =
      fmt::format("{} MiB of this process are resident", resident_bytes_of_process() >> 20);
  if (room) {
    words += fmt::format(", {} has {} MiB left", room->whose, room->bytes >> 20);
  }
  return words;
}

MemoryExits::Statistics MemoryExits::statistics() const {
  return {.populated = populated_.load(std::memory_order_relaxed),
          .completed = completed_.load(std::memory_order_relaxed),
          .fetches = fetches_.load(std::memory_order_relaxed),
          .faults = memory_faults_.load(std::memory_order_relaxed),
          .denied_reads = denied_reads_.load(std::memory_order_relaxed),
          .denied_writes = denied_writes_.load(std::memory_order_relaxed)};
}

}  // namespace nestling
