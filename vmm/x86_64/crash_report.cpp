// Putting the pieces of a crash report together.
#include "vmm/x86_64/crash_report.h"

#include <array>
#include <iterator>

#include <fmt/core.h>

#include "vmm/crash_text.h"
#include "vmm/printable_text.h"
#include "vmm/x86_64/backtrace.h"
#include "vmm/x86_64/flag_names.h"
#include "vmm/x86_64/guest_view.h"
#include "vmm/x86_64/page_walk_text.h"

namespace nestling::x86_64 {

namespace {

GuestView view_of(const CrashScene& scene) {
  return GuestView(scene.cpu, scene.memory, scene.features);
}

std::string segment_text(std::string_view name, const Segment& segment) {
  if (segment.unusable) {
    return fmt::format("  {:<4} {:#06x} unusable\n", name, segment.selector);
  }
  std::string what;
  if (!segment.code_or_data) {
    what = fmt::format("system type {:#x}", segment.type);
  } else if ((segment.type & 8) != 0) {
    what = segment.long_mode ? "code 64-bit" : segment.default_big ? "code 32-bit" : "code 16-bit";
  } else {
    what = (segment.type & 2) != 0 ? "data writable" : "data read-only";
  }
  return fmt::format("  {:<4} {:#06x} base {:#018x} limit {:#010x} {}, ring {}{}\n", name,
                     segment.selector, segment.base, segment.limit, what, segment.privilege_level,
                     segment.present ? "" : ", not present");
}

std::string general_registers(const CpuState& cpu) {
  return fmt::format(
      "  rax {:016x}  rbx {:016x}  rcx {:016x}  rdx {:016x}\n"
      "  rsi {:016x}  rdi {:016x}  rbp {:016x}  rsp {:016x}\n"
      "  r8  {:016x}  r9  {:016x}  r10 {:016x}  r11 {:016x}\n"
      "  r12 {:016x}  r13 {:016x}  r14 {:016x}  r15 {:016x}\n"
      "  rip {:016x}  rflags {:08x} {}\n",
      cpu.rax, cpu.rbx, cpu.rcx, cpu.rdx, cpu.rsi, cpu.rdi, cpu.rbp, cpu.rsp, cpu.r8, cpu.r9,
      cpu.r10, cpu.r11, cpu.r12, cpu.r13, cpu.r14, cpu.r15, cpu.rip, cpu.rflags,
      rflags_flags(cpu.rflags));
}

std::string control_registers(const CpuState& cpu) {
  std::string text = fmt::format(
      "  cr0  {:#010x} {}\n"
      "  cr2  {:#018x}\n"
      "  cr3  {:#018x}\n"
      "  cr4  {:#010x} {}\n"
      "  cr8  {:#x}\n"
      "  efer {:#06x} {}\n",
      cpu.cr0, cr0_flags(cpu.cr0), cpu.cr2, cpu.cr3, cpu.cr4, cr4_flags(cpu.cr4), cpu.cr8, cpu.efer,
      efer_flags(cpu.efer));
  if (cpu.debug) {
    const auto& address = cpu.debug->address;
    fmt::format_to(std::back_inserter(text),
                   "  dr0  {:#x}  dr1 {:#x}  dr2 {:#x}  dr3 {:#x}  dr6 {:#x}  dr7 {:#x}\n",
                   address[0], address[1], address[2], address[3], cpu.debug->dr6, cpu.debug->dr7);
  }
  return text;
}

std::string segments(const CpuState& cpu) {
  std::string text;
  text += segment_text("cs", cpu.cs);
  text += segment_text("ss", cpu.ss);
  text += segment_text("ds", cpu.ds);
  text += segment_text("es", cpu.es);
  text += segment_text("fs", cpu.fs);
  text += segment_text("gs", cpu.gs);
  text += segment_text("tr", cpu.tr);
  text += segment_text("ldtr", cpu.ldtr);
  fmt::format_to(std::back_inserter(text),
                 "  gdtr base {:#018x} limit {:#06x}\n"
                 "  idtr base {:#018x} limit {:#06x}\n",
                 cpu.gdtr.base, cpu.gdtr.limit, cpu.idtr.base, cpu.idtr.limit);
  return text;
}

/// 16 bytes before RIP and 16 from it on; the byte at RIP in brackets, missing ones as "--".
std::string code_bytes(GuestView& view) {
  constexpr std::uint64_t kAround = 16;
  const std::uint64_t rip = view.instruction().value();
  const std::uint64_t first = rip - (rip < kAround ? rip : kAround);
  std::string text = fmt::format("bytes from {:#x}, rip in brackets\n ", first);
  for (std::uint64_t offset = 0; offset < rip - first + kAround; ++offset) {
    const std::uint64_t at = first + offset;
    const auto byte = view.read_object<std::uint8_t>(GuestVirtAddr(at));
    const std::string hex = byte ? fmt::format("{:02x}", *byte) : "--";
    text += at == rip ? fmt::format(" [{}]", hex) : " " + hex;
  }
  return text + "\n";
}

}  // namespace

std::string location(const CrashScene& scene) {
  return location_text(scene.symbols, view_of(scene).instruction());
}

std::string crash_report(const CrashScene& scene) {
  GuestView view = view_of(scene);
  const CpuState& cpu = scene.cpu;
  std::string text = fmt::format("vCPU {} at {}\n", scene.vcpu, location(scene));
  text += general_registers(cpu);
  text += control_registers(cpu);
  text += segments(cpu);
  text += code_bytes(view);
  text += page_walk_text(view, "rip", view.instruction(), AccessKind::kExecute);
  text += page_walk_text(view, "rsp", view.stack(), AccessKind::kWrite);
  text += page_walk_text(view, "cr2", GuestVirtAddr(cpu.cr2), AccessKind::kRead);
  text += backtrace_text(scene.symbols, backtrace(view));
  text += exits_text(scene.last_exits, scene.exit_count);
  text += fmt::format("last console line: \"{}\"\n", printable(scene.last_console_line));
  return text;
}

}  // namespace nestling::x86_64
