// Page walks in words.
#include "vmm/x86_64/page_walk_text.h"

#include <array>
#include <cstddef>
#include <iterator>

#include <fmt/core.h>

#include "vmm/crash_text.h"
#include "vmm/x86_64/flag_names.h"

namespace nestling::x86_64 {

namespace {

/// The manual's name of a table, by level.
std::string_view table_name(int level) {
  constexpr std::array<std::string_view, 6> kNames = {"?", "PT", "PD", "PDPT", "PML4", "PML5"};
  return kNames.at(static_cast<std::size_t>(level));
}

std::string step_text(const GuestView& view, const WalkStep& step) {
  const PagingMode mode = paging_mode(view.paging());
  const bool leaf = stage1::is_leaf(step.entry, view.paging(), mode, step.level);
  const EntryRole role = !leaf             ? EntryRole::kTable
                         : step.level == 1 ? EntryRole::kSmallPage
                                           : EntryRole::kLargePage;
  const bool present = (step.entry & stage1::kPresent) != 0;
  return fmt::format("  {:<4} {:#018x} [{:#05x}] = {:#0{}x}  {}\n", table_name(step.level),
                     step.table.value(), step.index, step.entry, 2 + 2 * step.entry_size,
                     present ? entry_flags(step.entry, role) : "not present");
}

std::string fault_text(const GuestView& view, const PagingFault& fault, const WalkTrace& trace) {
  if (fault.kind == PagingFault::Kind::kNotAnAddress) {
    const PagingMode mode = paging_mode(view.paging());
    return mode == PagingMode::k4Level || mode == PagingMode::k5Level
               ? "the address is not canonical"
               : "the address is above 4 GiB";
  }
  const std::string_view table = table_name(fault.level);
  const std::uint64_t entry = trace.steps().empty() ? 0 : trace.steps().back().entry;
  if ((entry & stage1::kPresent) == 0) {
    return fmt::format("its {} entry is not present", table);
  }
  const bool reserved =
      fault.kind == PagingFault::Kind::kInvalidTopEntry || (fault.error_code & kFaultReserved) != 0;
  if (!reserved) {
    return fmt::format("denied: {}", describe(fault));
  }
  const PagingMode mode = paging_mode(view.paging());
  const bool leaf = stage1::is_leaf(entry, view.paging(), mode, fault.level);
  return fmt::format("its {} entry has reserved bits {:#x} set", table,
                     entry & stage1::reserved_bits(view.paging(), mode, fault.level, leaf));
}

}  // namespace

std::string_view describe(PagingMode mode) {
  switch (mode) {
    case PagingMode::kOff:
      return "paging off";
    case PagingMode::k32Bit:
      return "32-bit paging";
    case PagingMode::kPae:
      return "PAE paging";
    case PagingMode::k4Level:
      return "4-level paging";
    case PagingMode::k5Level:
      return "5-level paging";
  }
  return "unknown paging";
}

std::string describe(const GuestView& view, const GuestWalk& walk) {
  if (walk.outcome) {
    return "mapped";
  }
  const GuestWalk::Failure& failure = walk.outcome.error();
  if (const auto* fault = std::get_if<PagingFault>(&failure)) {
    return fault_text(view, *fault, walk.trace);
  }
  if (const auto* fault = std::get_if<TableFault>(&failure)) {
    return fmt::format("its {} is at {:#x}, where no guest memory is", table_name(fault->level),
                       fault->cause.address.value());
  }
  return "its tables are changing";
}

std::string page_walk_text(GuestView& view, std::string_view what, GuestVirtAddr address,
                           AccessKind kind) {
  const PagingMode mode = paging_mode(view.paging());
  std::string text = fmt::format("page walk of {} {:#018x} ({} {}, {})\n", what, address.value(),
                                 view.privilege_level() == 3 ? "user" : "supervisor",
                                 kind_name(kind), describe(mode));
  const GuestWalk walk = view.walk(address, kind);
  for (const WalkStep& step : walk.trace.steps()) {
    text += step_text(view, step);
  }
  const auto out = std::back_inserter(text);
  if (!walk.outcome) {
    fmt::format_to(out, "  stops: {}\n", describe(view, walk));
    return text;
  }
  fmt::format_to(out, "  -> {:#x}", walk.outcome->gpa.value());
  if (mode != PagingMode::kOff) {
    fmt::format_to(out, " in a {} page, {}", page_size_text(walk.outcome->page_size),
                   rights_text(walk.outcome->access));
  }
  text += view.has_memory_at(walk.outcome->gpa) ? "\n" : ", where no guest memory is\n";
  return text;
}

}  // namespace nestling::x86_64
