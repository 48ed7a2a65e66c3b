// Stage2Table: a nested page table whose entry format is chosen at run time.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>
#include <variant>

#include "addrspace/aarch64/stage2.h"
#include "addrspace/nested_page_table.h"
#include "addrspace/riscv64/stage2.h"
#include "addrspace/x86_64/amd_nested.h"
#include "addrspace/x86_64/ept.h"

namespace nestling {

/// The entry formats there are, in the order of Stage2Table's alternatives.
enum class Stage2Kind : std::uint8_t {
  kEpt4,
  kEpt5,
  kAmdNested4,
  kAmdNested5,
  kAArch64ThreeLevels,
  kAArch64FourLevels,
  kSv39x4,
  kSv48x4,
};

inline constexpr std::array<Stage2Kind, 8> kStage2Kinds = {
    Stage2Kind::kEpt4,
    Stage2Kind::kEpt5,
    Stage2Kind::kAmdNested4,
    Stage2Kind::kAmdNested5,
    Stage2Kind::kAArch64ThreeLevels,
    Stage2Kind::kAArch64FourLevels,
    Stage2Kind::kSv39x4,
    Stage2Kind::kSv48x4,
};

/// One NestedPageTable of any format. Each call is one predictable switch and then the format's own
/// code; nothing virtual. The documentation of each function is NestedPageTable's. To make several
/// calls with one switch, use with().
class Stage2Table {
 public:
  using Guard = ReaderEpochs::Guard;

  [[nodiscard]] static Result<Stage2Table, TableError> create(Stage2Kind kind, TableFrames& frames,
                                                              ReaderEpochs& epochs,
                                                              TableOptions options = {});

  /// Calls `function` with the NestedPageTable inside.
  template <typename Function>
  decltype(auto) with(Function&& function) const {
    return std::visit(std::forward<Function>(function), table_);
  }
  template <typename Function>
  decltype(auto) with(Function&& function) {
    return std::visit(std::forward<Function>(function), table_);
  }

  [[nodiscard]] Stage2Kind kind() const { return static_cast<Stage2Kind>(table_.index()); }
  [[nodiscard]] std::string_view format_name() const;
  /// Bits of a guest-physical address in this format.
  [[nodiscard]] unsigned gpa_bits() const;
  /// The type that a mapping asked for as `type` gets, or nothing when it is refused.
  [[nodiscard]] std::optional<MemoryType> effective_type(MemoryType type) const;

  [[nodiscard]] std::optional<HostPhysAddr> translate(const Guard& guard, GuestPhysAddr gpa) const {
    return translate_as<0>(guard, gpa);
  }
  [[nodiscard]] std::optional<MappedPage> query(const Guard& guard, GuestPhysAddr gpa) const;
  [[nodiscard]] TableWalk walk(const Guard& guard, GuestPhysAddr gpa) const;
  template <typename Visitor>
  void visit(const Guard& guard, GuestPhysRange range, Visitor&& visitor) const {
    with([&](const auto& table) { table.visit(guard, range, visitor); });
  }

  [[nodiscard]] Result<TablePlan, TableError> plan_map(GuestPhysRange range,
                                                       const TableMapping& mapping);
  [[nodiscard]] Result<TablePlan, TableError> plan_unmap(GuestPhysRange range);
  [[nodiscard]] Result<TablePlan, TableError> plan_protect(GuestPhysRange range, Access access);
  void apply(TablePlan plan);
  [[nodiscard]] Result<void, TableError> map(GuestPhysRange range, const TableMapping& mapping);
  [[nodiscard]] Result<void, TableError> unmap(GuestPhysRange range);
  [[nodiscard]] Result<void, TableError> protect(GuestPhysRange range, Access access);
  void reclaim();

  [[nodiscard]] HostPhysAddr root() const;
  [[nodiscard]] TableStatistics statistics() const;
  [[nodiscard]] std::optional<TableDefect> defect() const;

 private:
  using Alternatives =
      std::variant<NestedPageTable<x86_64::Ept<4>>, NestedPageTable<x86_64::Ept<5>>,
                   NestedPageTable<x86_64::AmdNested<4>>, NestedPageTable<x86_64::AmdNested<5>>,
                   NestedPageTable<aarch64::Stage2ThreeLevels>,
                   NestedPageTable<aarch64::Stage2FourLevels>, NestedPageTable<riscv64::Sv39x4>,
                   NestedPageTable<riscv64::Sv48x4>>;

  explicit Stage2Table(Alternatives table) : table_(std::move(table)) {}

  /// Compares instead of visiting: the call of a visitor costs more than the walk.
  template <std::size_t Index>
  [[nodiscard]] std::optional<HostPhysAddr> translate_as(const Guard& guard,
                                                         GuestPhysAddr gpa) const {
    if constexpr (Index + 1 < kStage2Kinds.size()) {
      if (table_.index() != Index) {
        return translate_as<Index + 1>(guard, gpa);
      }
    }
    return std::get_if<Index>(&table_)->translate(guard, gpa);
  }

  template <std::size_t Index>
  [[nodiscard]] static Result<Stage2Table, TableError> create_as(TableFrames& frames,
                                                                 ReaderEpochs& epochs,
                                                                 TableOptions options);

  Alternatives table_;
};

}  // namespace nestling
