// A nested page table, the flat model of it, and the raw walk beside them: all three must agree.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include <fmt/core.h>

#include "addrspace/nested_page_table.h"
#include "addrspace/nested_page_table_impl.h"
#include "tests/support/heap_table_frames.h"
#include "tests/support/table_model.h"
#include "tests/support/table_oracle.h"

namespace nestling::testing {

/// 1 GiB and something on both sides, so that ranges begin and end inside and outside it.
inline constexpr GuestPhysRange kModelWindow =
    GuestPhysRange::of(GuestPhysAddr((1ULL << 30) - (4ULL << 20)), (1ULL << 30) + (8ULL << 20));

/// The seed of random tests: NESTLING_SEED, or one that is the same in every run.
[[nodiscard]] inline std::uint64_t test_seed() {
  const char* text = std::getenv("NESTLING_SEED");
  return text != nullptr ? std::strtoull(text, nullptr, 0) : 20'261'123;
}

/// How often the random tests turn: `usual` times, or 500 times as often with NESTLING_NIGHTLY=1.
[[nodiscard]] inline int test_rounds(int usual) {
  const char* text = std::getenv("NESTLING_NIGHTLY");
  return text != nullptr && std::string(text) == "1" ? usual * 500 : usual;
}

[[nodiscard]] inline std::string describe(const TableChange& change) {
  const char* names[] = {"map", "unmap", "protect"};
  return fmt::format("{} {:#x}+{:#x} to {:#x}", names[static_cast<unsigned>(change.action)],
                     change.range.start().value(), change.range.size(),
                     change.mapping.frame.value());
}

template <Stage2Format F, typename Store = AtomicEntryStore>
struct TableHarness {
  using Table = NestedPageTable<F, Store>;

  explicit TableHarness(TableOptions options = {}, GuestPhysRange window = kModelWindow,
                        Store store = Store())
      : table(std::move(Table::create(frames, epochs, options, std::move(store)).value())),
        model(window) {}

  [[nodiscard]] Result<TablePlan, TableError> plan(const TableChange& change) {
    switch (change.action) {
      case TablePlan::Action::kMap:
        return table.plan_map(change.range, change.mapping);
      case TablePlan::Action::kUnmap:
        return table.plan_unmap(change.range);
      case TablePlan::Action::kProtect:
        break;
    }
    return table.plan_protect(change.range, change.mapping.access);
  }

  [[nodiscard]] oracle::Outcome raw_walk(GuestPhysAddr gpa) const {
    return oracle::look_up(
        {kHardware<F>, F::kLevels, F::kGpaBits, frames.window(), table.root().value()},
        gpa.value());
  }

  [[nodiscard]] std::vector<MappedRun> runs() const {
    std::vector<MappedRun> found;
    const auto guard = epochs.enter();
    table.visit(guard, GuestPhysRange::of(GuestPhysAddr(0), 1ULL << F::kGpaBits),
                [&](const MappedRun& run) { found.push_back(run); });
    return found;
  }

  /// The first way in which table and model differ, over every page and every count; or "".
  [[nodiscard]] std::string difference() const {
    std::size_t next = 0;
    for (const MappedRun& run : runs()) {
      if (!model.window().contains(run.guest)) {
        return fmt::format("{:#x} is mapped, outside the window", run.guest.start().value());
      }
      const std::size_t first = model.index_of(run.guest.start());
      const std::size_t behind = first + run.guest.size() / kPageSize;
      for (; next < first; ++next) {
        if (model.page(next)) {
          return fmt::format("{:#x} is not mapped", model.address(next).value());
        }
      }
      for (; next < behind; ++next) {
        const ModelPage seen = {run.host + (next - first) * kPageSize, run.access, run.type};
        if (model.page(next) != seen) {
          return fmt::format("{:#x} is mapped to {:#x} or with other rights",
                             model.address(next).value(), seen.frame.value());
        }
      }
    }
    for (; next < model.page_count(); ++next) {
      if (model.page(next)) {
        return fmt::format("{:#x} is not mapped", model.address(next).value());
      }
    }
    if (const auto defect = table.defect()) {
      return fmt::format("{} at level {}, {:#x}: {:#x}", defect->what, defect->level,
                         defect->start.value(), defect->raw);
    }
    if (frames.bytes_in_use() != table.statistics().tables * kPageSize) {
      return fmt::format("{:#x} bytes of frames in use for {} tables", frames.bytes_in_use(),
                         table.statistics().tables);
    }
    return "";
  }

  /// The same for one page, by every way there is to ask about it; or "".
  [[nodiscard]] std::string difference_at(std::size_t index, std::uint64_t offset) const {
    const GuestPhysAddr gpa = model.address(index) + offset;
    const auto guard = epochs.enter();
    const auto translated = table.translate(guard, gpa);
    const auto queried = table.query(guard, gpa);
    const oracle::Outcome raw = raw_walk(gpa);
    const std::optional<ModelPage>& expected = model.page(index);
    const TableWalk walk = table.walk(guard, gpa);
    if (!expected) {
      return !translated && !queried && raw == oracle::Outcome(oracle::Hole{}) &&
                     walk.steps().back().kind == EntryKind::kHole
                 ? ""
                 : fmt::format("{:#x} should be a hole: {}", gpa.value(), describe(raw));
    }
    const HostPhysAddr host = expected->frame + offset;
    if (!queried || translated != host || walk.steps().back().kind != EntryKind::kLeaf) {
      return fmt::format("{:#x} should be mapped: {}", gpa.value(), describe(raw));
    }
    const oracle::Page page = {host.value(), bytes_of(queried->entry.size), expected->access,
                               expected->type};
    const bool is_same = queried->entry.frame + gpa.offset_from(queried->start) == host &&
                         queried->entry.access == expected->access &&
                         queried->entry.type == expected->type && raw == oracle::Outcome(page);
    return is_same ? "" : fmt::format("{:#x} differs: {}", gpa.value(), describe(raw));
  }

  HeapTableFrames frames;
  ReaderEpochs epochs;
  Table table;
  TableModel model;
};

}  // namespace nestling::testing
