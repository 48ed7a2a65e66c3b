// Choosing the entry format, and the one place where the table's code is instantiated for each.
#include "addrspace/stage2_table.h"

#include <array>

#include "addrspace/nested_page_table_impl.h"

namespace nestling {

template class NestedPageTable<x86_64::Ept<4>>;
template class NestedPageTable<x86_64::Ept<5>>;
template class NestedPageTable<x86_64::AmdNested<4>>;
template class NestedPageTable<x86_64::AmdNested<5>>;
template class NestedPageTable<aarch64::Stage2ThreeLevels>;
template class NestedPageTable<aarch64::Stage2FourLevels>;
template class NestedPageTable<riscv64::Sv39x4>;
template class NestedPageTable<riscv64::Sv48x4>;

template <std::size_t Index>
Result<Stage2Table, TableError> Stage2Table::create_as(TableFrames& frames, ReaderEpochs& epochs,
                                                       TableOptions options) {
  using Table = std::variant_alternative_t<Index, Alternatives>;
  auto table = Table::create(frames, epochs, options);
  if (!table) {
    return failure(table.error());
  }
  return Stage2Table(Alternatives(std::in_place_index<Index>, *std::move(table)));
}

Result<Stage2Table, TableError> Stage2Table::create(Stage2Kind kind, TableFrames& frames,
                                                    ReaderEpochs& epochs, TableOptions options) {
  static_assert(std::variant_size_v<Alternatives> == kStage2Kinds.size());
  switch (kind) {
    case Stage2Kind::kEpt4:
      return create_as<0>(frames, epochs, options);
    case Stage2Kind::kEpt5:
      return create_as<1>(frames, epochs, options);
    case Stage2Kind::kAmdNested4:
      return create_as<2>(frames, epochs, options);
    case Stage2Kind::kAmdNested5:
      return create_as<3>(frames, epochs, options);
    case Stage2Kind::kAArch64ThreeLevels:
      return create_as<4>(frames, epochs, options);
    case Stage2Kind::kAArch64FourLevels:
      return create_as<5>(frames, epochs, options);
    case Stage2Kind::kSv39x4:
      return create_as<6>(frames, epochs, options);
    case Stage2Kind::kSv48x4:
      break;
  }
  return create_as<7>(frames, epochs, options);
}

std::string_view Stage2Table::format_name() const {
  return with([]<typename Table>(const Table&) { return Table::Format::kName; });
}

unsigned Stage2Table::gpa_bits() const {
  return with([]<typename Table>(const Table&) { return Table::Format::kGpaBits; });
}

std::optional<MemoryType> Stage2Table::effective_type(MemoryType type) const {
  return with([&]<typename Table>(const Table&) { return Table::Format::effective_type(type); });
}

std::optional<MappedPage> Stage2Table::query(const Guard& guard, GuestPhysAddr gpa) const {
  return with([&](const auto& table) { return table.query(guard, gpa); });
}

TableWalk Stage2Table::walk(const Guard& guard, GuestPhysAddr gpa) const {
  return with([&](const auto& table) { return table.walk(guard, gpa); });
}

Result<TablePlan, TableError> Stage2Table::plan_map(GuestPhysRange range,
                                                    const TableMapping& mapping) {
  return with([&](auto& table) { return table.plan_map(range, mapping); });
}

Result<TablePlan, TableError> Stage2Table::plan_unmap(GuestPhysRange range) {
  return with([&](auto& table) { return table.plan_unmap(range); });
}

Result<TablePlan, TableError> Stage2Table::plan_protect(GuestPhysRange range, Access access) {
  return with([&](auto& table) { return table.plan_protect(range, access); });
}

void Stage2Table::apply(TablePlan plan) {
  with([&](auto& table) { table.apply(std::move(plan)); });
}

Result<void, TableError> Stage2Table::map(GuestPhysRange range, const TableMapping& mapping) {
  return with([&](auto& table) { return table.map(range, mapping); });
}

Result<void, TableError> Stage2Table::unmap(GuestPhysRange range) {
  return with([&](auto& table) { return table.unmap(range); });
}

Result<void, TableError> Stage2Table::protect(GuestPhysRange range, Access access) {
  return with([&](auto& table) { return table.protect(range, access); });
}

void Stage2Table::reclaim() {
  with([](auto& table) { table.reclaim(); });
}

HostPhysAddr Stage2Table::root() const {
  return with([](const auto& table) { return table.root(); });
}

TableStatistics Stage2Table::statistics() const {
  return with([](const auto& table) { return table.statistics(); });
}

std::optional<TableDefect> Stage2Table::defect() const {
  return with([](const auto& table) { return table.defect(); });
}

}  // namespace nestling
