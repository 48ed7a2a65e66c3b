// RIP and what it means, and the instruction's operand where it can be proved.
#include "vmm/x86_64/access_origin.h"

#include <algorithm>
#include <array>

#include "vmm/x86_64/memory_operand.h"

namespace nestling::x86_64 {

namespace {

/// The bytes around RIP: an instruction's in front of it and one's behind it.
struct CodeWindow {
  static constexpr std::size_t kHalf = kMaxInstructionSize;

  std::array<std::byte, 2 * kHalf> bytes{};
  std::size_t before = 0;  ///< so many of the first half are there, up to its end
  std::size_t behind = 0;
};

CodeWindow read_window(GuestView& view) {
  CodeWindow window;
  const GuestVirtAddr rip = view.instruction();
  const std::span<std::byte> all(window.bytes);
  window.behind = view.read(rip, all.subspan(CodeWindow::kHalf));
  // Backwards byte by byte: the page before may be missing.
  while (window.before < CodeWindow::kHalf && window.before < rip.value() &&
         view.read(GuestVirtAddr(rip.value() - window.before - 1),
                   all.subspan(CodeWindow::kHalf - window.before - 1, 1)) == 1) {
    ++window.before;
  }
  return window;
}

bool leads_to(GuestView& view, GuestVirtAddr address, GuestPhysAddr gpa) {
  return view.physical(address) == gpa;
}

/// The operand of the instruction that starts at RIP.
std::optional<MemoryOperand> operand_at(GuestView& view, const CodeWindow& window,
                                        Direction direction) {
  return memory_operand(std::span(window.bytes).subspan(CodeWindow::kHalf, window.behind),
                        view.instruction(), view.cpu(), direction);
}

/// The virtual address of every instruction that ends at RIP and whose operand is at `gpa`, when
/// they all agree: code can be read in several ways backwards.
std::optional<GuestVirtAddr> proved_before(GuestView& view, const CodeWindow& window,
                                           GuestPhysAddr gpa) {
  std::optional<GuestVirtAddr> proved;
  for (std::size_t size = 1; size <= window.before; ++size) {
    const auto bytes = std::span(window.bytes).subspan(CodeWindow::kHalf - size, size);
    const auto operand = memory_operand(bytes, GuestVirtAddr(view.instruction().value() - size),
                                        view.cpu(), Direction::kWrite);
    if (!operand || operand->instruction_size != size || !leads_to(view, operand->address, gpa)) {
      continue;
    }
    if (proved && *proved != operand->address) {
      return std::nullopt;
    }
    proved = operand->address;
  }
  return proved;
}

}  // namespace

AccessOrigin origin_of_access(GuestView& view, const AccessSeen& seen) {
  GuestPlace place{view.instruction(), ProgramCounterIs::kAtInstruction};
  const bool writes = seen.direction == Direction::kWrite;
  if (seen.way == AccessSeen::Way::kPort) {
    // Port writes come from the hardware, before RIP moves, or from the emulator, after.
    place.is = writes ? ProgramCounterIs::kEither : ProgramCounterIs::kAtInstruction;
    return {place, std::nullopt};
  }
  if (view.code_size() != CodeSize::k64) {
    place.is = writes ? ProgramCounterIs::kEither : ProgramCounterIs::kAtInstruction;
    return {place, std::nullopt};
  }
  const CodeWindow window = read_window(view);
  const auto at = operand_at(view, window, seen.direction);
  if (!writes) {
    const bool is_proved = at && leads_to(view, at->address, seen.gpa);
    return {place, is_proved ? std::optional(at->address) : std::nullopt};
  }
  // RDI has moved on already when a repeated instruction stopped at its write.
  place.is = at && at->repeats ? ProgramCounterIs::kEither : ProgramCounterIs::kBehindInstruction;
  return {place, proved_before(view, window, seen.gpa)};
}

}  // namespace nestling::x86_64
