// How each change of the view becomes slots added, cut and removed, and undone when one is refused.
#include "vmm/memory/slot_mirror.h"

#include <algorithm>
#include <utility>

namespace nestling {

namespace {

#ifdef NDEBUG
constexpr bool kChecksEveryChange = false;
#else
constexpr bool kChecksEveryChange = true;
#endif

std::optional<SlotRights> rights_for(const ViewChange& change) {
  return slot_rights(change.access, change.type);
}

/// The part of `host`, which stands behind `whole`, that stands behind `part`.
std::span<std::byte> host_of(std::span<std::byte> host, GuestPhysRange whole, GuestPhysRange part) {
  return host.subspan(part.start().offset_from(whole.start()), part.size());
}

}  // namespace

std::optional<SlotRights> slot_rights(Access access, MemoryType type) {
  const bool is_ram = type == MemoryType::kWriteBack || type == MemoryType::kWriteThrough ||
                      type == MemoryType::kWriteProtected || type == MemoryType::kWriteCombining;
  if (!is_ram || !access.allows(Access::read())) {
    return std::nullopt;
  }
  return access.allows(Access::write()) ? SlotRights::kReadWrite : SlotRights::kReadOnly;
}

SlotMirror::SlotMirror(AddressSpace& space, SlotTable& table, RunGate& gate, Options options)
    : space_(space),
      table_(table),
      gate_(gate),
      options_(std::move(options)),
      slot_limit_(table.slot_limit()) {
  space_.add_observer(*this);
}

SlotMirror::~SlotMirror() { space_.remove_observer(*this); }

bool SlotMirror::needs_gate(ViewChange::Kind kind) const {
  switch (kind) {
    case ViewChange::Kind::kMap:
      return options_.gate == Gate::kForNewSlots;
    case ViewChange::Kind::kUnmap:
    case ViewChange::Kind::kProtect:
      return true;
    case ViewChange::Kind::kDiscard:
      return options_.shows == Shows::kPopulated;
    case ViewChange::Kind::kPopulate:
      break;
  }
  return false;
}

void SlotMirror::entering(ViewChange::Kind kind) {
  if (needs_gate(kind)) {
    gate_.close();
    gate_closings_.fetch_add(1, std::memory_order_relaxed);
  }
}

void SlotMirror::leaving(ViewChange::Kind kind) {
  if (needs_gate(kind)) {
    gate_.open();
  }
}

bool SlotMirror::adds_slot(const ViewChange& change) const {
  if (!rights_for(change)) {
    return false;
  }
  const bool shows_areas = options_.shows == Shows::kAreas;
  switch (change.kind) {
    case ViewChange::Kind::kMap:
      return shows_areas || change.backend == Backend::kLinear;
    case ViewChange::Kind::kPopulate:
      return !shows_areas;
    default:
      return false;
  }
}

Error SlotMirror::no_slot_left(GuestPhysRange range) const {
  return make_error(ErrorKind::kHostRefused,
                    "no memory slot is left for guest memory at {:#x}, {:#x} bytes: KVM gives a VM "
                    "{}, and {} are in use; {}",
                    range.start().value(), range.size(), slot_limit_, slots_.size(),
                    options_.shows == Shows::kPopulated
                        ? "a larger --granule needs fewer, and --lazy uffd or host one an area"
                        : "map fewer areas");
}

Result<void> SlotMirror::permits(const ViewChange& change) {
  if (adds_slot(change) && slots_.size() >= slot_limit_) {
    return failure(no_slot_left(change.range));
  }
  return {};
}

Result<void> SlotMirror::prepare(std::span<const ViewChange> changes) {
  journal_.clear();
  for (const ViewChange& change : changes) {
    if (auto done = follow(change); !done) {
      roll_back();
      return done;
    }
  }
  return {};
}

void SlotMirror::abandon(std::span<const ViewChange> /*changes*/) { roll_back(); }

void SlotMirror::changed(const ViewChange& change) {
  if (change.kind == ViewChange::Kind::kPopulate && options_.shows == Shows::kPopulated) {
    spare_slots();
  }
  // With many slots now and then: looking at all of them after each would take for ever.
  constexpr std::uint64_t kManySlots = 128;
  if (kChecksEveryChange &&
      (slots_.size() < kManySlots || added_.load(std::memory_order_relaxed) % kManySlots == 0)) {
    const std::optional<std::string> found = defect();
    check(!found, found ? std::string_view(*found) : std::string_view());
  }
}

void SlotMirror::spare_slots() {
  const std::uint64_t used = slots_.size();
  if (used < slot_limit_ / 4) {
    return;
  }
  std::uint64_t mapped = 0;
  space_.visit_areas(space_.range(), [&](const Area& area) {
    mapped += slot_rights(area.access, area.type) ? area.range.size() : 0;
  });
  const std::uint64_t hidden = mapped - std::min(mapped, shown_bytes_);
  // A larger block can have each of the slots there are in its midst, and then takes one more.
  const std::uint64_t left = slot_limit_ - used;
  const std::uint64_t blocks =
      std::max<std::uint64_t>(left > used ? (left - used) / 2 : left / 4, 1);
  std::uint64_t granule = space_.fault_granule();
  while (granule < bytes_of(PageSize::k1GiB) && hidden / granule > blocks) {
    granule *= 2;
  }
  if (granule != space_.fault_granule()) {
    space_.set_fault_granule(granule);
  }
}

Result<void> SlotMirror::follow(const ViewChange& change) {
  switch (change.kind) {
    case ViewChange::Kind::kMap:
    case ViewChange::Kind::kPopulate:
      if (adds_slot(change)) {
        const auto frames = HostPhysRange::of(change.host, change.range.size());
        return show({change.range, space_.pool().bytes(frames), *rights_for(change)});
      }
      return {};
    case ViewChange::Kind::kUnmap:
      return cut(change.range);
    case ViewChange::Kind::kDiscard:
      return options_.shows == Shows::kPopulated ? cut(change.range) : Result<void>();
    case ViewChange::Kind::kProtect:
      return follow_protect(change);
  }
  return {};
}

Result<void> SlotMirror::follow_protect(const ViewChange& change) {
  const auto before = slot_rights(change.previous_access, change.type);
  const auto after = rights_for(change);
  if (before == after) {
    return {};
  }
  if (auto done = cut(change.range); !done || !after) {
    return done;
  }
  const auto host_behind = [&](GuestPhysRange part) {
    const HostPhysAddr first(change.host.value() + part.start().offset_from(change.range.start()));
    return space_.pool().bytes(HostPhysRange::of(first, part.size()));
  };
  if (options_.shows == Shows::kAreas) {
    return show({change.range, host_behind(change.range), *after});
  }
  // The table still says what is populated; pages of several sizes beside each other share a slot.
  std::vector<GuestPhysRange> populated;
  space_.visit_pages(change.range, [&](const MappedRun& run) {
    if (!populated.empty() && populated.back().end() == run.guest.start()) {
      populated.back() =
          GuestPhysRange::of(populated.back().start(), populated.back().size() + run.guest.size());
    } else {
      populated.push_back(run.guest);
    }
  });
  for (const GuestPhysRange& part : populated) {
    if (auto done = show({part, host_behind(part), *after}); !done) {
      return done;
    }
  }
  return {};
}

/// What of `shown` a guest may reach without an exit, ascending.
std::vector<SlotMirror::Shown> SlotMirror::without_trapped(const Shown& shown) const {
  std::vector<Shown> pieces = {shown};
  for (const Trap& trap : options_.traps) {
    std::vector<Shown> next;
    for (const Shown& piece : pieces) {
      const auto trapped = piece.guest.intersection(trap.pages);
      if (!trapped) {
        next.push_back(piece);
        continue;
      }
      const auto append = [&](GuestPhysAddr start, std::uint64_t size, SlotRights rights) {
        if (size != 0) {
          const auto part = GuestPhysRange::of(start, size);
          next.push_back({part, host_of(piece.host, piece.guest, part), rights});
        }
      };
      append(piece.guest.start(), trapped->start().offset_from(piece.guest.start()), piece.rights);
      if (!trap.access.allows(Access::read())) {
        append(trapped->start(), trapped->size(), SlotRights::kReadOnly);
      }
      const std::uint64_t behind = piece.guest.last().offset_from(trapped->last());
      append(piece.guest.start() + (piece.guest.size() - behind), behind, piece.rights);
    }
    pieces = std::move(next);
  }
  return pieces;
}

Result<void> SlotMirror::show(const Shown& shown) {
  for (const Shown& piece : without_trapped(shown)) {
    if (auto done = show_in_one_slot(piece); !done) {
      return done;
    }
  }
  return {};
}

Result<void> SlotMirror::show_in_one_slot(const Shown& shown) {
  if (slots_.size() >= slot_limit_) {
    return failure(no_slot_left(shown.guest));
  }
  const bool reuses = !free_numbers_.empty();
  const MemorySlot slot{.number = reuses ? free_numbers_.back() : next_number_,
                        .guest = shown.guest,
                        .host = shown.host,
                        .rights = shown.rights};
  if (auto done = table_.add_slot(slot); !done) {
    return done;
  }
  if (reuses) {
    free_numbers_.pop_back();
  } else {
    ++next_number_;
  }
  slots_.emplace(slot.guest.start(), slot);
  shown_bytes_ += slot.guest.size();
  journal_.push_back({Step::Kind::kAdded, slot});
  added_.fetch_add(1, std::memory_order_relaxed);
  slot_count_.store(slots_.size(), std::memory_order_relaxed);
  slot_peak_.store(
      std::max<std::uint64_t>(slot_peak_.load(std::memory_order_relaxed), slots_.size()),
      std::memory_order_relaxed);
  return {};
}

Result<void> SlotMirror::hide(MemorySlot slot) {
  if (auto done = table_.remove_slot(slot.number); !done) {
    return done;
  }
  slots_.erase(slot.guest.start());
  shown_bytes_ -= slot.guest.size();
  free_numbers_.push_back(slot.number);
  journal_.push_back({Step::Kind::kRemoved, slot});
  removed_.fetch_add(1, std::memory_order_relaxed);
  slot_count_.store(slots_.size(), std::memory_order_relaxed);
  return {};
}

/// Takes `range` out of every slot that overlaps it.
Result<void> SlotMirror::cut(GuestPhysRange range) {
  auto found = slots_.upper_bound(range.start());
  if (found != slots_.begin() && std::prev(found)->second.guest.overlaps(range)) {
    --found;
  }
  while (found != slots_.end() && found->second.guest.overlaps(range)) {
    const MemorySlot slot = found->second;
    ++found;
    if (auto done = hide(slot); !done) {
      return done;
    }
    const std::uint64_t before =
        slot.guest.start() < range.start() ? range.start().offset_from(slot.guest.start()) : 0;
    const std::uint64_t behind =
        range.last() < slot.guest.last() ? slot.guest.last().offset_from(range.last()) : 0;
    const GuestPhysRange left = GuestPhysRange::of(slot.guest.start(), before);
    const GuestPhysRange right =
        GuestPhysRange::of(slot.guest.start() + (slot.guest.size() - behind), behind);
    for (const GuestPhysRange& rest : {left, right}) {
      if (!rest.is_empty()) {
        if (auto done = show({rest, host_of(slot.host, slot.guest, rest), slot.rights}); !done) {
          return done;
        }
      }
    }
  }
  return {};
}

/// Undoes what the journal holds, last first, so that numbers come back in the order they went.
void SlotMirror::roll_back() {
  while (!journal_.empty()) {
    const Step step = journal_.back();
    journal_.pop_back();
    const bool was_added = step.kind == Step::Kind::kAdded;
    const auto undone =
        was_added ? table_.remove_slot(step.slot.number) : table_.add_slot(step.slot);
    if (!undone) {
      // The host took a slot and will not give it back: the guest lacks memory that it has.
      broken_ = undone.error();
      continue;
    }
    if (was_added) {
      slots_.erase(step.slot.guest.start());
      shown_bytes_ -= step.slot.guest.size();
      free_numbers_.push_back(step.slot.number);
    } else {
      slots_.emplace(step.slot.guest.start(), step.slot);
      shown_bytes_ += step.slot.guest.size();
      free_numbers_.erase(std::find(free_numbers_.begin(), free_numbers_.end(), step.slot.number));
    }
  }
  slot_count_.store(slots_.size(), std::memory_order_relaxed);
}

std::vector<SlotMirror::Shown> SlotMirror::wanted() const {
  std::vector<Shown> runs;
  const auto append = [&](GuestPhysRange guest, HostPhysAddr host, SlotRights rights) {
    const auto bytes = space_.pool().bytes(HostPhysRange::of(host, guest.size()));
    for (const Shown& piece : without_trapped({guest, bytes, rights})) {
      runs.push_back(piece);
    }
  };
  space_.visit_areas(space_.range(), [&](const Area& area) {
    const auto rights = slot_rights(area.access, area.type);
    if (rights && options_.shows == Shows::kAreas) {
      append(area.range, area.host, *rights);
    } else if (rights) {
      space_.visit_pages(area.range, [&](const MappedRun& run) {
        append(run.guest, area.host_of(run.guest.start()), *rights);
      });
    }
  });
  return runs;
}

std::vector<SlotMirror::Shown> SlotMirror::present() const {
  std::vector<Shown> runs;
  for (const auto& [start, slot] : slots_) {
    runs.push_back({slot.guest, slot.host, slot.rights});
  }
  return runs;
}

std::optional<std::string> SlotMirror::defect() const {
  if (broken_) {
    return broken_->message;
  }
  // How a run is cut into slots, areas and pages is no difference.
  const auto joined = [](const std::vector<Shown>& runs) {
    std::vector<Shown> result;
    for (const Shown& run : runs) {
      if (!result.empty() && result.back().guest.end() == run.guest.start() &&
          result.back().host.data() + result.back().host.size() == run.host.data() &&
          result.back().rights == run.rights) {
        Shown& last = result.back();
        last.guest = GuestPhysRange::of(last.guest.start(), last.guest.size() + run.guest.size());
        last.host = std::span(last.host.data(), last.host.size() + run.host.size());
      } else {
        result.push_back(run);
      }
    }
    return result;
  };
  const std::vector<Shown> should = joined(wanted());
  const std::vector<Shown> is = joined(present());
  const auto equal = [](const Shown& a, const Shown& b) {
    return a.guest == b.guest && a.host.data() == b.host.data() && a.rights == b.rights;
  };
  const auto [want, have] =
      std::mismatch(should.begin(), should.end(), is.begin(), is.end(), equal);
  if (want == should.end() && have == is.end()) {
    return std::nullopt;
  }
  const auto words = [](const auto& at, const auto& end) {
    return at == end ? std::string("nothing")
                     : fmt::format("{:#x} bytes at {:#x}, {}", at->guest.size(),
                                   at->guest.start().value(),
                                   at->rights == SlotRights::kReadOnly ? "read-only" : "writable");
  };
  return fmt::format("the view has {}, the memory slots show {}", words(want, should.end()),
                     words(have, is.end()));
}

SlotMirror::Statistics SlotMirror::statistics() const {
  return {.slots = slot_count_.load(std::memory_order_relaxed),
          .slots_peak = slot_peak_.load(std::memory_order_relaxed),
          .slot_limit = slot_limit_,
          .added = added_.load(std::memory_order_relaxed),
          .removed = removed_.load(std::memory_order_relaxed),
          .gate_closings = gate_closings_.load(std::memory_order_relaxed)};
}

}  // namespace nestling
