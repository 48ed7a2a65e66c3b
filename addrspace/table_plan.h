// TablePlan: a change of a page table that is validated and has all its frames, so cannot fail.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "addrspace/range.h"
#include "addrspace/stage2_format.h"
#include "addrspace/table_frames.h"

namespace nestling {

/// What a range of guest addresses is to map to.
struct TableMapping {
  HostPhysAddr frame;  ///< for the first byte of the range; the rest follows linearly
  Access access;
  MemoryType type = MemoryType::kWriteBack;
};

/// Why a page table refuses a change, and which one.
struct TableError {
  enum class Reason : std::uint8_t {
    kMisaligned,      ///< start, size or frame is not a multiple of 4 KiB
    kBeyondGuest,     ///< the range passes the format's guest-physical width
    kBeyondHost,      ///< the frames pass the format's host-physical width
    kNotExpressible,  ///< the format has no encoding for this access or memory type
    kOutOfTables,     ///< no room for another table
  };

  Reason reason = Reason::kOutOfTables;
  GuestPhysRange range;

  friend bool operator==(const TableError&, const TableError&) = default;
};

/// "cannot change the mapping of 0x1000+0x2000: not aligned to 4 KiB" or the like.
[[nodiscard]] std::string describe(const TableError& error);

/// Frames for tables, set aside. What is left is given back on destruction. Move-only; needs no
/// memory of its own, for the frames hold the list.
class ReservedTables {
 public:
  explicit ReservedTables(TableFrames& frames) : frames_(&frames) {}
  ReservedTables(ReservedTables&& other) noexcept;
  ReservedTables& operator=(ReservedTables&&) = delete;
  ReservedTables(const ReservedTables&) = delete;
  ReservedTables& operator=(const ReservedTables&) = delete;
  ~ReservedTables();

  /// Sets one more frame aside; false when there is none.
  [[nodiscard]] bool add();
  /// One of the frames, now the caller's. There must be one left.
  [[nodiscard]] HostPhysAddr take();

  [[nodiscard]] std::size_t count() const { return count_; }

 private:
  TableFrames* frames_;
  HostPhysAddr first_;
  std::size_t count_ = 0;
};

/// Made by NestedPageTable::plan_…(), used up by its apply(). Destroyed unused, it changes nothing
/// and gives its frames back.
class TablePlan {
 public:
  enum class Action : std::uint8_t { kMap, kUnmap, kProtect };

  /// The table frames that were set aside for it.
  [[nodiscard]] std::size_t table_count() const { return tables_.count(); }

 private:
  template <Stage2Format F, typename Store>
  friend class NestedPageTable;

  TablePlan(Action action, GuestPhysRange range, const TableMapping& mapping, ReservedTables tables,
            std::uint64_t generation)
      : action_(action),
        range_(range),
        mapping_(mapping),
        tables_(std::move(tables)),
        generation_(generation) {}

  Action action_;
  GuestPhysRange range_;
  TableMapping mapping_;  // kMap: all of it; kProtect: the access; kUnmap: nothing
  ReservedTables tables_;
  std::uint64_t generation_;  // of the table when it was made
};

/// How a table is to be kept.
struct TableOptions {
  /// No entry maps more than this at once.
  PageSize largest = PageSize::k1GiB;
};

/// What a table has come to.
struct TableStatistics {
  std::uint64_t tables = 0;   ///< frames of 4 KiB held, the root's and retired ones included
  std::uint64_t retired = 0;  ///< subtrees taken out whose frames may still be read
  std::uint64_t splits = 0;   ///< huge entries replaced by a table, since creation
  std::uint64_t joins = 0;    ///< tables replaced by a huge entry, since creation
};

/// A broken invariant: which entry, and what is wrong with it.
struct TableDefect {
  GuestPhysAddr start;  ///< first guest address that the entry spans
  unsigned level = 0;
  RawEntry raw = 0;
  std::string what;
};

}  // namespace nestling
