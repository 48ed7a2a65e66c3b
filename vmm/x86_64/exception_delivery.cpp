// The steps of delivering an exception, tried one by one.
#include "vmm/x86_64/exception_delivery.h"

#include <array>
#include <optional>

#include <fmt/core.h>

#include "vmm/x86_64/page_walk_text.h"

namespace nestling::x86_64 {

namespace {

constexpr std::uint64_t kCr0Protection = 1;
constexpr std::uint64_t kEferLongModeActive = 1ULL << 10;

/// An interrupt or trap gate, or a task gate, of either size.
struct Gate {
  GuestVirtAddr handler;
  std::uint16_t selector = 0;
  std::uint8_t type = 0;
  std::uint8_t stack_table_index = 0;
  bool present = false;
};

bool is_long_mode(const GuestView& view) { return (view.cpu().efer & kEferLongModeActive) != 0; }

/// The words of a gate; the second one is 0 outside long mode.
using GateWords = std::array<std::uint64_t, 2>;

Gate decode_gate(const GateWords& words, bool long_mode) {
  const std::uint64_t low = words[0];
  Gate gate;
  gate.selector = static_cast<std::uint16_t>(low >> 16);
  gate.type = static_cast<std::uint8_t>((low >> 40) & 0x1f);
  gate.present = ((low >> 47) & 1) != 0;
  std::uint64_t handler = (low & 0xffff) | ((low >> 32) & 0xffff'0000);
  if (long_mode) {
    handler |= words[1] << 32;
    gate.stack_table_index = static_cast<std::uint8_t>((low >> 32) & 7);
  }
  gate.handler = GuestVirtAddr(handler);
  return gate;
}

/// Words for an address that an access by the processor itself cannot reach; empty when it can.
std::string unreachable(GuestView& view, GuestVirtAddr address, AccessKind kind) {
  const GuestWalk walk = view.walk_as_system(address, kind);
  if (!walk.outcome) {
    return describe(view, walk);
  }
  return view.has_memory_at(walk.outcome->gpa) ? "" : "no guest memory is there";
}

/// The code segment descriptor's DPL, or what is wrong with it.
struct CodeSegment {
  std::uint8_t privilege_level = 0;
  std::string problem;
};

CodeSegment code_segment(GuestView& view, std::uint16_t selector) {
  const DescriptorTable& gdt = view.cpu().gdtr;
  const std::uint16_t offset = selector & 0xfff8;
  if (offset == 0 && (selector & 4) == 0) {
    return {.problem = "no handler: its gate's selector is null"};
  }
  if ((selector & 4) != 0) {
    return {};  // in the LDT, which is not looked at
  }
  if (offset + 7 > gdt.limit) {
    return {.problem = fmt::format("no handler: its gate's selector {:#x} is outside the GDT "
                                   "(limit {:#x})",
                                   selector, gdt.limit)};
  }
  const GuestVirtAddr address(gdt.base + offset);
  const auto descriptor = view.read_object<std::uint64_t>(address);
  if (!descriptor) {
    return {.problem = fmt::format("no handler: the GDT at {:#x} is not mapped", gdt.base)};
  }
  const bool present = ((*descriptor >> 47) & 1) != 0;
  const bool code = ((*descriptor >> 43) & 3) == 3;
  if (!present || !code) {
    return {.problem = fmt::format("no handler: its gate's selector {:#x} is no present code "
                                   "segment",
                                   selector)};
  }
  return {.privilege_level = static_cast<std::uint8_t>((*descriptor >> 45) & 3), .problem = {}};
}

/// Where the processor pushes the frame: the current stack or one from the TSS. 64-bit only.
struct FrameStack {
  GuestVirtAddr pointer;
  std::string problem;
};

FrameStack frame_stack(GuestView& view, const Gate& gate, std::uint8_t handler_level) {
  constexpr std::uint64_t kFirstStackOffset = 4;       // RSP0
  constexpr std::uint64_t kInterruptStackOffset = 36;  // IST1
  std::uint64_t offset = 0;
  if (gate.stack_table_index != 0) {
    offset = kInterruptStackOffset + 8 * (std::uint64_t{gate.stack_table_index} - 1);
  } else if (handler_level < view.privilege_level()) {
    offset = kFirstStackOffset + 8 * std::uint64_t{handler_level};
  } else {
    return {.pointer = GuestVirtAddr(view.cpu().rsp), .problem = {}};
  }
  const Segment& task = view.cpu().tr;
  if (offset + 7 > task.limit) {
    return {.pointer = {},
            .problem = fmt::format("no stack: the TSS is too short (limit {:#x})", task.limit)};
  }
  const auto pointer = view.read_object<std::uint64_t>(GuestVirtAddr(task.base + offset));
  if (!pointer) {
    return {.pointer = {},
            .problem = fmt::format("no stack: the TSS at {:#x} is not mapped", task.base)};
  }
  return {.pointer = GuestVirtAddr(*pointer), .problem = {}};
}

std::string stack_obstacle(GuestView& view, const FrameStack& stack) {
  if (!stack.problem.empty()) {
    return stack.problem;
  }
  // SS, RSP, RFLAGS, CS, RIP and perhaps an error code go below the aligned pointer.
  constexpr std::uint64_t kSmallestFrame = 40;
  const std::uint64_t top = stack.pointer.value() & ~0xfULL;
  for (const std::uint64_t down : std::array<std::uint64_t, 2>{8, kSmallestFrame}) {
    const std::string why = unreachable(view, GuestVirtAddr(top - down), AccessKind::kWrite);
    if (!why.empty()) {
      return fmt::format("no stack: {:#x} cannot be written, {}", top - down, why);
    }
  }
  return {};
}

}  // namespace

std::string delivery_obstacle(GuestView& view, std::uint8_t vector) {
  const CpuState& cpu = view.cpu();
  if ((cpu.cr0 & kCr0Protection) == 0) {
    return {};
  }
  const bool long_mode = is_long_mode(view);
  const std::uint32_t gate_size = long_mode ? 16 : 8;
  const std::uint32_t offset = vector * gate_size;
  if (offset + gate_size - 1 > cpu.idtr.limit) {
    return cpu.idtr.limit == 0
               ? "no handler: the IDT is empty (limit 0)"
               : fmt::format("no handler: the IDT ends before it (limit {:#x})", cpu.idtr.limit);
  }
  const GuestVirtAddr address(cpu.idtr.base + offset);
  const auto low = view.read_object<std::uint64_t>(address);
  const auto high = long_mode ? view.read_object<std::uint64_t>(GuestVirtAddr(address.value() + 8))
                              : std::optional<std::uint64_t>(0);
  if (!low || !high) {
    return fmt::format("no handler: the IDT at {:#x} is not mapped", cpu.idtr.base);
  }
  const Gate gate = decode_gate({*low, *high}, long_mode);
  if (!gate.present) {
    return "no handler: its IDT gate is not present";
  }
  if (!long_mode) {
    return {};
  }
  if (gate.type != 0xe && gate.type != 0xf) {
    return fmt::format("no handler: its IDT gate has type {:#x}", gate.type);
  }
  const CodeSegment segment = code_segment(view, gate.selector);
  if (!segment.problem.empty()) {
    return segment.problem;
  }
  const std::string why = unreachable(view, gate.handler, AccessKind::kExecute);
  if (!why.empty()) {
    return fmt::format("a handler at {:#x} that cannot be fetched: {}", gate.handler.value(), why);
  }
  return stack_obstacle(view, frame_stack(view, gate, segment.privilege_level));
}

}  // namespace nestling::x86_64
