// Putting the pieces of a crash report together.
#include "vmm/aarch64/crash_report.h"

#include <cstddef>
#include <iterator>
#include <string>
#include <string_view>

#include <fmt/core.h>

#include "vmm/aarch64/backtrace.h"
#include "vmm/aarch64/exception_state.h"
#include "vmm/aarch64/guest_view.h"
#include "vmm/aarch64/page_walk_text.h"
#include "vmm/aarch64/register_words.h"
#include "vmm/aarch64/syndrome.h"
#include "vmm/crash_text.h"
#include "vmm/printable_text.h"

namespace nestling::aarch64 {

namespace {

/// The CPU as the guest's own code last had it: before the exception, when that led to vectors
/// which are not the guest's.
CpuState guests_own_state(const CrashScene& scene) {
  GuestView view(scene.cpu, scene.memory);
  return is_in_boot_vectors(view) ? before_exception(scene.cpu) : scene.cpu;
}

/// What the last exception was, with the address it was about.
std::string exception_words(const CpuState& cpu) {
  std::string words = describe_syndrome(cpu.esr);
  if (has_fault_address(cpu.esr)) {
    words += fmt::format(", address {:#x}", cpu.far);
  }
  return words;
}

std::string general_registers(const CpuState& cpu) {
  std::string text;
  const auto out = std::back_inserter(text);
  for (std::size_t number = 0; number < cpu.x.size(); ++number) {
    const bool starts_line = number % 4 == 0;
    const bool ends_line = number % 4 == 3;
    fmt::format_to(out, "{}x{:<2} {:016x}{}", starts_line ? "  " : "", number, cpu.x.at(number),
                   ends_line ? "\n" : "  ");
  }
  fmt::format_to(out, "sp  {:016x}\n", cpu.sp());
  fmt::format_to(out, "  pc  {:016x}  pstate {:08x} {}\n", cpu.pc, cpu.pstate,
                 describe_pstate(cpu.pstate));
  return text;
}

/// "  esr_el1   0x96000045 words\n", in as many digits; the words only where the guest or the
/// processor set the register: KVM fills those that have no reset value with a number of its own.
std::string system_register(std::string_view name, std::uint64_t value, int digits,
                            std::string_view words = "") {
  constexpr std::uint64_t kOfKvm = 0x1de7'ec7e'dbad'c0de;
  if (value == kOfKvm) {
    return fmt::format("  {:<9} never set\n", name);
  }
  return fmt::format("  {:<9} {:#0{}x}{}{}\n", name, value, digits + 2, words.empty() ? "" : " ",
                     words);
}

std::string system_registers(const CpuState& cpu) {
  const std::string cause = cpu.esr == 0 ? "" : describe_syndrome(cpu.esr);
  return fmt::format("  sp_el0 {:#018x}  sp_el1 {:#018x}\n", cpu.sp_el0, cpu.sp_el1) +
         system_register("esr_el1", cpu.esr, 8, cause) + system_register("far_el1", cpu.far, 16) +
         system_register("elr_el1", cpu.elr, 16) +
         system_register("spsr_el1", cpu.spsr, 8, describe_pstate(cpu.spsr)) +
         system_register("vbar_el1", cpu.vbar, 16) +
         system_register("sctlr_el1", cpu.sctlr, 8, sctlr_flags(cpu.sctlr)) +
         system_register("tcr_el1", cpu.tcr, 16, describe_tcr(cpu.tcr)) +
         system_register("ttbr0_el1", cpu.ttbr0, 16) + system_register("ttbr1_el1", cpu.ttbr1, 16) +
         system_register("mair_el1", cpu.mair, 16) + system_register("cpacr_el1", cpu.cpacr, 1) +
         system_register("mpidr_el1", cpu.mpidr, 1);
}

/// Four instructions before PC and four from it on; the one at PC in brackets, those that cannot
/// be read as "--------".
std::string code_words(GuestView& view) {
  constexpr std::uint64_t kWord = 4;
  constexpr std::uint64_t kAround = 4 * kWord;
  const std::uint64_t pc = view.cpu().pc;
  const std::uint64_t first = pc - (pc < kAround ? pc / kWord * kWord : kAround);
  std::string text = fmt::format("instructions from {:#x}, pc in brackets\n ", first);
  for (std::uint64_t offset = 0; offset < pc - first + kAround; offset += kWord) {
    const std::uint64_t at = first + offset;
    const auto word = view.read_object<std::uint32_t>(GuestVirtAddr(at));
    const std::string hex = word ? fmt::format("{:08x}", *word) : "--------";
    text += at == pc ? fmt::format(" [{}]", hex) : " " + hex;
  }
  return text + "\n";
}

}  // namespace

std::string location(const CrashScene& scene) {
  return location_text(scene.symbols, GuestVirtAddr(guests_own_state(scene).pc));
}

std::string unhandled_exception_reason(const CrashScene& scene) {
  return fmt::format("exception without a handler at {}: {}", location(scene),
                     exception_words(scene.cpu));
}

std::string exception_loop_reason(const CrashScene& scene) {
  if (!is_exception_loop(scene.cpu)) {
    return {};
  }
  return fmt::format("hang: exceptions for ever at {}, the first instruction of the vector: {}",
                     location(scene), exception_words(scene.cpu));
}

std::string crash_report(const CrashScene& scene) {
  const CpuState cpu = guests_own_state(scene);
  GuestView view(cpu, scene.memory);
  std::string text = fmt::format("vCPU {} at {}\n", scene.vcpu, location(scene));
  if (cpu.pc != scene.cpu.pc) {
    text += fmt::format("  before the exception, which no handler took: {}\n",
                        exception_words(scene.cpu));
  }
  text += general_registers(cpu);
  text += system_registers(cpu);
  text += code_words(view);
  text += page_walk_text(view, "pc", GuestVirtAddr(cpu.pc), AccessKind::kExecute);
  text += page_walk_text(view, "sp", GuestVirtAddr(cpu.sp()), AccessKind::kWrite);
  if (has_fault_address(cpu.esr)) {
    text += page_walk_text(view, "far", GuestVirtAddr(cpu.far), AccessKind::kRead);
  }
  text += backtrace_text(scene.symbols, backtrace(view));
  text += exits_text(scene.last_exits, scene.exit_count);
  text += fmt::format("last console line: \"{}\"\n", printable(scene.last_console_line));
  return text;
}

}  // namespace nestling::aarch64
