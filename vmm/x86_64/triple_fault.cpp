// What a triple fault came from, as far as the state it left behind proves it.
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include <fmt/core.h>

#include "vmm/x86_64/certain_fault.h"
#include "vmm/x86_64/crash_report.h"
#include "vmm/x86_64/exception_delivery.h"
#include "vmm/x86_64/guest_view.h"
#include "vmm/x86_64/page_walk_text.h"

namespace nestling::x86_64 {

namespace {

/// AMD's hardware leaves the state undefined after a shutdown, so KVM hands out a CPU as it is
/// after INIT.
bool is_reset_state(const CpuState& cpu) {
  constexpr std::uint64_t kResetRip = 0xfff0;
  constexpr std::uint64_t kResetCodeBase = 0xffff'0000;
  constexpr std::uint64_t kCr0Protection = 1;
  return cpu.rip == kResetRip && cpu.cs.base == kResetCodeBase && (cpu.cr0 & kCr0Protection) == 0;
}

/// Where RIP leads outside of guest memory, which is no exception but on some hosts a shutdown.
std::string missing_memory(GuestView& view) {
  const GuestWalk walk = view.walk(view.instruction(), AccessKind::kExecute);
  if (walk.outcome) {
    return view.has_memory_at(walk.outcome->gpa)
               ? ""
               : fmt::format("RIP is mapped to {:#x}, where no guest memory is",
                             walk.outcome->gpa.value());
  }
  return std::holds_alternative<TableFault>(walk.outcome.error())
             ? fmt::format("RIP cannot be translated: {}", describe(view, walk))
             : "";
}

/// A page fault that CR2 suggests; CR2 could be an older fault's, so it is no proof.
std::string probable_page_fault(GuestView& view) {
  const std::uint64_t address = view.cpu().cr2;
  const GuestWalk walk = view.walk(GuestVirtAddr(address), AccessKind::kRead);
  if (address == 0 || walk.outcome) {
    return {};
  }
  // Pushes and calls touch the bytes below RSP first.
  constexpr std::uint64_t kPushReach = kPageSize;
  const std::uint64_t stack = view.stack().value();
  const bool on_stack = address <= stack && stack - address <= kPushReach;
  return fmt::format("probably #PF {} {:#x} ({})", on_stack ? "on the stack at" : "at", address,
                     describe(view, walk));
}

/// The exception and why it had no handler.
std::string cause(GuestView& view) {
  if (is_reset_state(view.cpu())) {
    return "this host's processor does not keep the registers of a CPU that shut down, so they "
           "tell nothing";
  }
  if (std::string missing = missing_memory(view); !missing.empty()) {
    return missing;
  }
  std::string what = "an exception";
  std::optional<std::uint8_t> vector;
  if (const auto fault = certain_fault(view)) {
    vector = fault->vector;
    what = fmt::format("{} ({})", vector_name(fault->vector), fault->why);
  } else if (std::string probable = probable_page_fault(view); !probable.empty()) {
    vector = kPageFault;
    what = std::move(probable);
  }
  if (vector) {
    if (const std::string why = delivery_obstacle(view, *vector); !why.empty()) {
      return fmt::format("{} with {}", what, why);
    }
  }
  // A CPU shuts down only where the double fault cannot be delivered either.
  const std::string why = delivery_obstacle(view, kDoubleFault);
  if (why.empty()) {
    return fmt::format("{}, and then #DF, could not be delivered", what);
  }
  return vector ? fmt::format("{}, then #DF with {}", what, why)
                : fmt::format("{} with {}", what, why);
}

}  // namespace

std::string triple_fault_reason(const CrashScene& scene) {
  GuestView view(scene.cpu, scene.memory, scene.features);
  return fmt::format("triple fault at {}: {}", location(scene), cause(view));
}

}  // namespace nestling::x86_64
