// The part of every walk that repeats it until the flags of its entries are written.
#pragma once

#include "addrspace/guest_walk.h"

namespace nestling {

/// How often a walk starts over because an entry changed before its flags were written.
inline constexpr int kMaxWalkAttempts = 8;

/// Runs `attempt(trace)`, which reads entries into the trace and returns a page or a failure; then,
/// if flags are wanted, gives each entry the value `marked(step, is_last)`, which is the entry as
/// the CPU leaves it, and starts over when one is no longer what was read.
template <typename Fault, typename Attempt, typename Marked>
[[nodiscard]] Stage1Walk<Fault> walk_and_mark(TableMemory& tables, TableUpdate update,
                                              const Attempt& attempt, const Marked& marked) {
  using Failure = typename Stage1Walk<Fault>::Failure;
  Stage1Walk<Fault> walk;
  /// True when all is done, false when an entry changed.
  const auto mark = [&]() -> Result<bool, Failure> {
    const auto steps = walk.trace.steps();
    for (const WalkStep& step : steps) {
      const std::uint64_t wanted = marked(step, &step == &steps.back());
      if (wanted == step.entry) {
        continue;
      }
      const auto swap = tables.exchange(step.location(), {step.entry, wanted});
      if (!swap) {
        return failure(Failure(TableFault{step.level, swap.error()}));
      }
      if (*swap == TableMemory::Swap::kEntryChanged) {
        return false;
      }
    }
    return true;
  };
  for (int count = 0; count < kMaxWalkAttempts; ++count) {
    walk.trace.clear();
    walk.outcome = attempt(walk.trace);
    if (!walk.outcome || update == TableUpdate::kNone) {
      return walk;
    }
    const auto done = mark();
    if (!done) {
      walk.outcome = failure(done.error());
    }
    if (!done || *done) {
      return walk;
    }
  }
  walk.outcome = failure(Failure(TablesChanging{}));
  return walk;
}

/// Reads the entry `step` names and appends it to `trace`.
template <typename Fault>
[[nodiscard]] Result<std::uint64_t, typename Stage1Walk<Fault>::Failure> read_step(
    TableMemory& tables, WalkStep step, WalkTrace& trace) {
  const auto entry = tables.load(step.location());
  if (!entry) {
    return failure(typename Stage1Walk<Fault>::Failure(TableFault{step.level, entry.error()}));
  }
  step.entry = *entry;
  trace.append(step);
  return *entry;
}

}  // namespace nestling
