// Page walks in words.
#include "vmm/aarch64/page_walk_text.h"

#include <iterator>
#include <variant>

#include <fmt/core.h>

#include "vmm/aarch64/register_words.h"
#include "vmm/crash_text.h"

namespace nestling::aarch64 {

namespace {

bool is_on(const TranslationState& state) { return (state.sctlr & kSctlrMmu) != 0; }

std::string regime_words(const TranslationState& state, GuestVirtAddr address) {
  if (!is_on(state)) {
    return "MMU off";
  }
  const auto half = stage1::half_of(state, address, false);
  return half ? fmt::format("TTBR{}, {} KiB granule", half->upper ? 1 : 0,
                            1U << (half->granule_bits - 10))
              : "a reserved granule";
}

std::string step_text(const TranslationState& state, GuestVirtAddr address, const WalkStep& step) {
  const auto half = stage1::half_of(state, address, false);
  std::string flags = "not valid";
  if (half) {
    switch (stage1::type(step.entry, *half, step.level)) {
      case stage1::DescriptorType::kInvalid:
        break;
      case stage1::DescriptorType::kTable:
        flags = descriptor_flags(step.entry, DescriptorRole::kTable);
        break;
      case stage1::DescriptorType::kLeaf:
        flags = descriptor_flags(step.entry, DescriptorRole::kLeaf);
        break;
    }
  }
  return fmt::format("  level {} {:#018x} [{:#05x}] = {:#018x}  {}\n", step.level,
                     step.table.value(), step.index, step.entry, flags);
}

std::string failure_words(const GuestWalk::Failure& failure) {
  if (const auto* fault = std::get_if<TranslationFault>(&failure)) {
    return describe(*fault);
  }
  if (const auto* fault = std::get_if<TableFault>(&failure)) {
    return fmt::format("its table of level {} is at {:#x}, where no guest memory is", fault->level,
                       fault->cause.address.value());
  }
  return "its tables are changing";
}

}  // namespace

std::string page_walk_text(GuestView& view, std::string_view what, GuestVirtAddr address,
                           AccessKind kind) {
  const TranslationState& state = view.translation();
  std::string text = fmt::format("page walk of {} {:#018x} ({} {}, {})\n", what, address.value(),
                                 view.cpu().is_user() ? "EL0" : "EL1", kind_name(kind),
                                 regime_words(state, address));
  const GuestWalk walk = view.walk(address, kind);
  for (const WalkStep& step : walk.trace.steps()) {
    text += step_text(state, address, step);
  }
  const auto out = std::back_inserter(text);
  if (!walk.outcome) {
    fmt::format_to(out, "  stops: {}\n", failure_words(walk.outcome.error()));
    return text;
  }
  fmt::format_to(out, "  -> {:#x}", walk.outcome->gpa.value());
  if (is_on(state)) {
    fmt::format_to(out, " in a {} page, {}", page_size_text(walk.outcome->page_size),
                   rights_text(walk.outcome->access));
  }
  text += view.has_memory_at(walk.outcome->gpa) ? "\n" : ", where no guest memory is\n";
  return text;
}

}  // namespace nestling::aarch64
