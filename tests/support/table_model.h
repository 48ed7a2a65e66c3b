// What a nested page table should hold: one cell for each page of a window, and nothing clever.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <random>
#include <vector>

#include "addrspace/aarch64/stage2.h"
#include "addrspace/riscv64/stage2.h"
#include "addrspace/stage2_format.h"
#include "addrspace/table_plan.h"
#include "addrspace/table_view.h"
#include "addrspace/x86_64/amd_nested.h"
#include "addrspace/x86_64/ept.h"
#include "tests/support/table_oracle.h"

namespace nestling::testing {

/// One page of the model.
struct ModelPage {
  HostPhysAddr frame;
  Access access;
  MemoryType type = MemoryType::kWriteBack;

  friend bool operator==(const ModelPage&, const ModelPage&) = default;
};

/// A change of a table, as data.
struct TableChange {
  TablePlan::Action action = TablePlan::Action::kUnmap;
  GuestPhysRange range;
  TableMapping mapping;
};

/// Flat: what every single page of `window` maps to.
class TableModel {
 public:
  explicit TableModel(GuestPhysRange window) : window_(window), pages_(window.size() / kPageSize) {}

  [[nodiscard]] GuestPhysRange window() const { return window_; }
  [[nodiscard]] std::size_t page_count() const { return pages_.size(); }
  [[nodiscard]] const std::optional<ModelPage>& page(std::size_t index) const {
    return pages_.at(index);
  }
  [[nodiscard]] GuestPhysAddr address(std::size_t index) const {
    return window_.start() + index * kPageSize;
  }
  [[nodiscard]] std::size_t index_of(GuestPhysAddr address) const {
    return address.offset_from(window_.start()) / kPageSize;
  }

  void apply(const TableChange& change) {
    std::uint64_t offset = 0;
    const std::size_t first = index_of(change.range.start());
    for (std::size_t i = first; i < first + change.range.size() / kPageSize; ++i) {
      std::optional<ModelPage>& cell = pages_.at(i);
      switch (change.action) {
        case TablePlan::Action::kMap:
          cell =
              ModelPage{change.mapping.frame + offset, change.mapping.access, change.mapping.type};
          break;
        case TablePlan::Action::kUnmap:
          cell.reset();
          break;
        case TablePlan::Action::kProtect:
          if (cell) {
            cell->access = change.mapping.access;
          }
          break;
      }
      offset += kPageSize;
    }
  }

 private:
  GuestPhysRange window_;
  std::vector<std::optional<ModelPage>> pages_;
};

/// Random changes that meet each other: few offsets between guest and host, few rights and types,
/// ranges that begin and end at pages of every size.
template <Stage2Format F>
class ChangeSource {
 public:
  ChangeSource(GuestPhysRange window, std::uint64_t seed) : window_(window), random_(seed) {
    for (const Access access :
         {Access::read(), Access::read_write(), Access::all(), Access::read() | Access::execute(),
          Access::execute(), Access::write()}) {
      if (F::encode_leaf({HostPhysAddr(0), PageSize::k4KiB, access, MemoryType::kWriteBack})) {
        access_.push_back(access);
      }
    }
    for (const MemoryType type : kMemoryTypes) {
      if (F::effective_type(type) == type) {
        types_.push_back(type);
      }
    }
  }

  [[nodiscard]] std::uint64_t below(std::uint64_t bound) { return random_() % bound; }

  [[nodiscard]] TableChange next() {
    // Every other time, a piece of a large mapping is damaged or mended again: that is what makes
    // huge pages split and join.
    const std::uint64_t turn = below(4);
    if (turn == 0 && !damaged_.empty()) {
      TableChange mend = whole_;
      mend.range = damaged_.back();
      mend.mapping.frame =
          whole_.mapping.frame + mend.range.start().offset_from(whole_.range.start());
      damaged_.pop_back();
      return mend;
    }
    TableChange change = anything();
    if (turn == 1 && !whole_.range.is_empty()) {
      const std::uint64_t pages = whole_.range.size() / kPageSize;
      const std::uint64_t first = below(pages);
      const std::uint64_t count = 1 + below(std::min<std::uint64_t>(pages - first, 1024));
      change.range =
          GuestPhysRange::of(whole_.range.start() + first * kPageSize, count * kPageSize);
      damaged_.push_back(change.range);
    } else if (change.action == TablePlan::Action::kMap &&
               change.range.size() >= bytes_of(PageSize::k2MiB)) {
      whole_ = change;
      damaged_.clear();
    }
    return change;
  }

 private:
  TableChange anything() {
    TableChange change;
    change.range = range();
    const std::uint64_t kind = below(10);
    change.mapping.access = access_.at(below(4) == 0 ? below(access_.size()) : 0);
    if (kind < 5) {
      change.action = TablePlan::Action::kMap;
      // Offsets that allow pages of 1 GiB, 2 MiB and 4 KiB.
      const std::uint64_t offsets[] = {0, 1ULL << 30, 3ULL << 21, 5ULL << 12};
      change.mapping.frame =
          HostPhysAddr(change.range.start().value() + offsets[below(4) == 0 ? below(4) : 0]);
      change.mapping.type = types_.at(below(6) == 0 ? below(types_.size()) : 0);
    } else if (kind < 7) {
      change.action = TablePlan::Action::kProtect;
    }
    return change;
  }

  GuestPhysRange range() {
    const std::uint64_t unit = bytes_of(kPageSizes.at(std::min<std::uint64_t>(below(5), 2) % 3));
    const std::uint64_t window_first = window_.start().value();
    const std::uint64_t window_last = window_.last().value();
    std::uint64_t first = window_first + below(window_.size() / kPageSize) * kPageSize;
    if (below(8) != 0) {
      first = first / unit * unit;
    }
    if (below(4) == 0) {
      // Near a boundary of 2 MiB.
      first = first / bytes_of(PageSize::k2MiB) * bytes_of(PageSize::k2MiB) +
              (below(5) - 2) * kPageSize;
    }
    first = std::clamp(first, window_first, window_last / kPageSize * kPageSize);
    const std::uint64_t most = (window_last - first) / kPageSize + 1;
    const std::uint64_t length = unit / kPageSize * (1 + below(4)) + (below(3) == 0 ? below(4) : 0);
    return GuestPhysRange::of(GuestPhysAddr(first), std::min(most, length) * kPageSize);
  }

  GuestPhysRange window_;
  std::mt19937_64 random_;
  std::vector<Access> access_;
  std::vector<MemoryType> types_;
  TableChange whole_;
  std::vector<GuestPhysRange> damaged_;
};

template <typename F>
inline constexpr oracle::Hardware kHardware = oracle::Hardware::kEpt;
template <unsigned Levels>
inline constexpr oracle::Hardware kHardware<x86_64::AmdNested<Levels>> =
    oracle::Hardware::kAmdNested;
template <unsigned Levels, unsigned GpaBits>
inline constexpr oracle::Hardware kHardware<aarch64::Stage2<Levels, GpaBits>> =
    oracle::Hardware::kAArch64;
template <unsigned Levels>
inline constexpr oracle::Hardware kHardware<riscv64::SvX4<Levels>> = oracle::Hardware::kRiscV;

}  // namespace nestling::testing
