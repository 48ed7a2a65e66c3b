// What each option of `run` is called, takes and means.
#include "vmm/cli/run_arguments.h"

#include <chrono>
#include <map>
#include <optional>
#include <string_view>
#include <utility>

#include <CLI/CLI.hpp>
#include <fmt/core.h>

#include "vmm/area_option.h"
#include "vmm/audit/watch_list.h"
#include "vmm/cli/option_checks.h"
#include "vmm/machine.h"
#include "vmm/verdict.h"

namespace nestling {
namespace {

constexpr const char* kFooter =
    "Exit codes of run:\n"
    "  0-63 the guest's own status     64 wrong usage       65 image cannot be booted\n"
    "  66 file missing                 69 KVM not usable    70 a bug of Nestling\n"
    "  71 the host refused something   80 triple fault, reset   81 guest panic\n"
    "  82 hang   83 unhandled exit     124 timeout          130 interrupted\n\n"
    "Keys, while the console is a terminal:  Ctrl-A x quits   Ctrl-A h lists the keys\n";

/// "stdio", "none" or "file:PATH"; empty when it is none of them.
std::optional<ConsoleTarget> parse_console(const std::string& text) {
  constexpr std::string_view kFilePrefix = "file:";
  if (text == "stdio") {
    return ConsoleTarget{.kind = ConsoleTarget::Kind::kStdio, .path = {}};
  }
  if (text == "none") {
    return ConsoleTarget{.kind = ConsoleTarget::Kind::kNone, .path = {}};
  }
  if (text.starts_with(kFilePrefix) && text.size() > kFilePrefix.size()) {
    return ConsoleTarget{.kind = ConsoleTarget::Kind::kFile,
                         .path = text.substr(kFilePrefix.size())};
  }
  return std::nullopt;
}

/// "text" or "svg:PATH"; empty when it is neither.
std::optional<MapTarget> parse_map(const std::string& text) {
  constexpr std::string_view kSvgPrefix = "svg:";
  if (text == "text") {
    return MapTarget{.kind = MapTarget::Kind::kText, .path = {}};
  }
  if (text.starts_with(kSvgPrefix) && text.size() > kSvgPrefix.size()) {
    return MapTarget{.kind = MapTarget::Kind::kSvg, .path = text.substr(kSvgPrefix.size())};
  }
  return std::nullopt;
}

/// "auto", for which there is no number, or a size that a fault can populate; nothing when it is
/// neither.
std::optional<std::optional<std::uint64_t>> parse_granule(std::string text) {
  constexpr std::uint64_t kMost = 2ULL << 20;
  if (text == "auto") {
    return std::optional<std::uint64_t>();
  }
  std::uint64_t bytes = 0;
  try {
    if (!CLI::AsSizeValue(false)(text).empty() || !CLI::detail::lexical_cast(text, bytes)) {
      return std::nullopt;
    }
  } catch (const CLI::ValidationError&) {
    return std::nullopt;
  }
  if (!is_power_of_two(bytes) || bytes < kPageSize || bytes > kMost) {
    return std::nullopt;
  }
  return std::optional(bytes);
}

}  // namespace

CLI::App* RunArguments::add_to(CLI::App& app) {
  CLI::App* command = app.add_subcommand("run", "boot a kernel and say how it ended");
  command->footer(kFooter);
  image_.add_to(*command);
  add_machine_options(*command);
  add_memory_options(*command);
  add_area_options(*command);
  add_output_options(*command);
  add_audit_options(*command);
  return command;
}

RunOptions RunArguments::finished() {
  options_.image = image_.source();
  // The options' checks saw to it that each text is one.
  ExtraAreas& extra = options_.memory.extra;
  for (const std::string& text : roms_) {
    extra.roms.push_back(parse_rom(text).value_or(RomSpec{}));
  }
  for (const std::string& text : aliases_) {
    extra.aliases.push_back(parse_alias(text).value_or(AliasSpec{}));
  }
  for (const std::string& text : holes_) {
    extra.holes.push_back(parse_hole(text).value_or(GuestPhysRange()));
  }
  if (timeout_ms_ != 0) {
    options_.timeout = std::chrono::milliseconds(timeout_ms_);
  }
  options_.unclaimed = strict_ ? UnclaimedPolicy::kStop : UnclaimedPolicy::kGoOn;
  options_.verbosity = verbose_ ? Verbosity::kVerbose : Verbosity::kNormal;
  options_.console = parse_console(console_).value_or(ConsoleTarget{});
  options_.map = parse_map(map_).value_or(MapTarget{});
  if (!report_path_.empty()) {
    options_.report_path = report_path_;
  }
  if (!trace_path_.empty()) {
    options_.trace_path = trace_path_;
  }
  if (!audit_path_.empty()) {
    options_.audit_path = audit_path_;
  }
  for (const std::string& text : watches_) {
    if (auto watch = parse_watch(text)) {
      options_.watches.push_back(*std::move(watch));
    }
  }
  return options_;
}

void RunArguments::add_machine_options(CLI::App& command) {
  constexpr const char* kTimeHint = "give a time such as 500ms, 10s or 2m";
  constexpr const char* kGroup = "The machine";
  add_memory_option(command, options_.memory.size);
  command.get_option("--memory")->group(kGroup);
  command.add_option("--cpus", options_.vcpu_count, "CPUs of the guest, of which the first boots")
      ->check(saying(CLI::Range(1U, kMaxVcpus), fmt::format("give 1 to {}", kMaxVcpus)))
      ->type_name("COUNT")
      ->default_str("1")
      ->group(kGroup);
  command.add_option("--cmdline,-c", options_.command_line, "the kernel's command line")
      ->type_name("TEXT")
      ->group(kGroup);
  command
      .add_option("--irqchip", options_.irqchip,
                  "interrupt controllers and timers in KVM: as the image's note asks, on, or off")
      ->transform(one_of<IrqchipChoice>({{"auto", IrqchipChoice::kAsImageNeeds},
                                         {"on", IrqchipChoice::kOn},
                                         {"off", IrqchipChoice::kOff}},
                                        "auto, on, off"))
      ->type_name("auto|on|off")
      ->default_str("auto")
      ->group(kGroup);
  command
      .add_option("--timeout,-t", timeout_ms_,
                  "stop the guest after this time, such as 500ms, 10s or 2m (exit code 124)")
      ->transform(
          saying(CLI::AsNumberWithUnit(
                     std::map<std::string, std::uint64_t>{{"ms", 1}, {"s", 1000}, {"m", 60000}},
                     CLI::AsNumberWithUnit::UNIT_REQUIRED),
                 kTimeHint))
      ->check(saying(CLI::PositiveNumber, kTimeHint))
      ->type_name("TIME")
      ->group(kGroup);
  command
      .add_flag("--test-device", options_.test_device,
                "a device through which a kernel compares its idea of memory with the VMM's")
      ->group(kGroup);
  command.add_option("--kvm-device", options_.kvm_device, "where KVM is")
      ->type_name("PATH")
      ->default_str("/dev/kvm")
      ->group(kGroup);
  command
      .add_flag("--strict", strict_,
                "an access that no device claims ends the run, instead of reading all ones")
      ->group(kGroup);
}

void RunArguments::add_memory_options(CLI::App& command) {
  constexpr const char* kGroup = "Its memory";
  constexpr const char* kGranuleHint = "give auto or a power of two from 4K to 2M";
  constexpr const char* kLimitHint = "give a size such as 64M or 2G";
  command.add_option("--lazy", options_.memory.path, "how guest pages come into being")
      ->transform(one_of<LazyPath>({{"auto", LazyPath::kAuto},
                                    {"uffd", LazyPath::kUffd},
                                    {"mmio", LazyPath::kMmio},
                                    {"fault", LazyPath::kFault},
                                    {"host", LazyPath::kHost},
                                    {"off", LazyPath::kOff}},
                                   "auto, uffd, mmio, fault, host, off"))
      ->type_name("auto|uffd|mmio|fault|host|off")
      ->default_str("auto")
      ->group(kGroup);
  command
      .add_option_function<std::string>(
          "--granule",
          [this](const std::string& text) {
            options_.memory.granule = parse_granule(text).value_or(std::nullopt);
          },
          "how much a fault populates, where Nestling serves it")
      ->check([](const std::string& text) {
        return parse_granule(text) ? std::string() : kGranuleHint;
      })
      ->type_name("4K..2M|auto")
      ->default_str("auto")
      ->group(kGroup);
  command
      .add_option_function<PageSize>(
          "--huge", [this](PageSize size) { options_.memory.huge = size; },
          "take RAM from the host's reserved huge pages of this size")
      ->transform(one_of<PageSize>({{"2M", PageSize::k2MiB}, {"1G", PageSize::k1GiB}}, "2M, 1G"))
      ->type_name("2M|1G")
      ->group(kGroup);
  command
      .add_option_function<std::uint64_t>(
          "--memory-limit", [this](std::uint64_t bytes) { options_.memory.limit = bytes; },
          "how much RAM may be resident at a time; more ends the run")
      ->transform(saying(CLI::AsSizeValue(false), kLimitHint))
      ->check(saying(CLI::PositiveNumber, kLimitHint))
      ->type_name("SIZE")
      ->group(kGroup);
}

void RunArguments::add_area_options(CLI::App& command) {
  constexpr const char* kGroup = "Areas besides RAM, each as often as needed";
  const auto add = [&](const char* name, std::vector<std::string>& values, const char* form,
                       const char* what, bool (*is_one)(const std::string&)) {
    command.add_option(name, values, what)
        ->check([form, is_one](const std::string& text) {
          return is_one(text) ? std::string()
                              : fmt::format("give {}, numbers as 0x200000 or 2M", form);
        })
        ->type_name(form)
        ->allow_extra_args(false)
        ->group(kGroup);
  };
  add("--rom", roms_, "ADDRESS:PATH", "read-only memory with the bytes of a file",
      [](const std::string& text) { return parse_rom(text).has_value(); });
  add("--alias", aliases_, "ADDRESS:SOURCE:SIZE", "the RAM at SOURCE once more at ADDRESS",
      [](const std::string& text) { return parse_alias(text).has_value(); });
  add("--hole", holes_, "ADDRESS:SIZE", "a piece of RAM that is not there",
      [](const std::string& text) { return parse_hole(text).has_value(); });
}

void RunArguments::add_output_options(CLI::App& command) {
  constexpr const char* kGroup = "What is shown";
  command.add_option("--console", console_, "where the guest's console goes")
      ->check([](const std::string& text) {
        return parse_console(text) ? std::string() : "give stdio, none or file:PATH";
      })
      ->type_name("stdio|none|file:PATH")
      ->default_str("stdio")
      ->group(kGroup);
  command.add_option("--map", map_, "draw which guest memory was used: as text, or as a picture")
      ->check([](const std::string& text) {
        return parse_map(text) ? std::string() : "give text or svg:PATH";
      })
      ->type_name("text|svg:PATH")
      ->group(kGroup);
  command.add_option("--json", report_path_, "write everything about the run to this file")
      ->type_name("PATH")
      ->group(kGroup);
  command
      .add_option("--trace-exits", trace_path_,
                  "write every exit to this file, for ui.perfetto.dev or chrome://tracing")
      ->type_name("PATH")
      ->group(kGroup);
  command
      .add_option("--exit-code-style", options_.exit_code_style,
                  "what the value v written to the exit port means: v, or (v << 1) | 1 as in QEMU")
      ->transform(one_of<ExitCodeStyle>(
          {{"plain", ExitCodeStyle::kPlain}, {"qemu", ExitCodeStyle::kQemu}}, "plain, qemu"))
      ->type_name("plain|qemu")
      ->default_str("plain")
      ->group(kGroup);
  command.add_flag("-v,--verbose", verbose_, "say more about what the run does")->group(kGroup);
}

void RunArguments::add_audit_options(CLI::App& command) {
  constexpr const char* kGroup = "What is shown";
  CLI::Option* const audit =
      command
          .add_option("--audit", audit_path_,
                      "write who touched memory that was missing, denied, unclaimed or watched to "
                      "this file, a line of JSON each")
          ->type_name("PATH")
          ->group(kGroup);
  command
      .add_option("--watch", watches_,
                  "have accesses of this memory in the audit: 0x200000-0x200fff:rw, "
                  "0x200000+4K:w, a symbol of the kernel or SYMBOL+SIZE:r; may be repeated")
      ->check([](const std::string& text) {
        const auto watch = parse_watch(text);
        return watch ? std::string() : watch.error().message;
      })
      ->needs(audit)
      ->allow_extra_args(false)
      ->type_name("RANGE[:r|w|rw]")
      ->group(kGroup);
  command
      .add_option("--audit-limit", options_.audit_limit,
                  "write this many events at most, and count the rest")
      ->check(saying(CLI::PositiveNumber, "give a number of events"))
      ->needs(audit)
      ->type_name("COUNT")
      ->default_str("")
      ->group(kGroup);
}

}  // namespace nestling
