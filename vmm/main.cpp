// The command line: what `nestling` understands, turned into the options of its commands.
#include <malloc.h>
#include <pthread.h>

#include <cstdio>
#include <exception>
#include <map>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "vmm/area_option.h"
#include "vmm/audit/watch_list.h"
#include "vmm/doctor_command.h"
#include "vmm/inspect_command.h"
#include "vmm/machine.h"
#include "vmm/native.h"
#include "vmm/run_command.h"
#include "vmm/verdict.h"
#include "vmm/version.h"

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

/// `validator`, which says `message` when it refuses, and nothing in the help: the option's type
/// name does.
CLI::Validator saying(CLI::Validator validator, std::string message) {
  return {[validator = std::move(validator), message = std::move(message)](std::string& input) {
            try {
              return validator(input).empty() ? std::string() : message;
            } catch (const CLI::ValidationError&) {
              return message;
            }
          },
          ""};
}

/// The value of `names` that the text of an option names; the option's check saw to it that one
/// does.
template <typename Value>
CLI::Validator one_of(const std::map<std::string, Value>& names, const std::string& choices) {
  return saying(CLI::CheckedTransformer(names), "give one of " + choices);
}

/// What every command that opens an image takes.
struct ImageArguments {
  std::string path;
  std::uint64_t flat_address = 0;
  CLI::Option* flat = nullptr;

  void add_to(CLI::App& command) {
    command.add_option("KERNEL", path, "the kernel: an ELF64 file, or raw bytes with --flat")
        ->required()
        ->type_name("");
    flat = command
               .add_option("--flat", flat_address,
                           "take KERNEL as raw bytes, loaded and entered at this address")
               ->type_name("ADDRESS");
  }

  [[nodiscard]] ImageSource source() const {
    ImageSource source{
        .path = path, .flat_address = std::nullopt, .flat_architecture = native_architecture()};
    if (flat->count() > 0) {
      source.flat_address = GuestPhysAddr(flat_address);
    }
    return source;
  }
};

void add_memory_option(CLI::App& command, std::uint64_t& bytes) {
  command.add_option("--memory,-m", bytes, "RAM of the guest, such as 64M or 2G")
      ->transform(saying(CLI::AsSizeValue(false), "give a size such as 64M or 2G"))
      ->type_name("SIZE")
      ->default_str("128M");
}

/// `nestling run` and its options.
struct RunArguments {
  RunOptions options;
  ImageArguments image;
  std::uint64_t timeout_ms = 0;
  bool strict = false;
  bool verbose = false;
  std::vector<std::string> roms;
  std::vector<std::string> aliases;
  std::vector<std::string> holes;
  std::string console = "stdio";
  std::string map;
  std::string report_path;
  std::string trace_path;
  std::string audit_path;
  std::vector<std::string> watches;

  CLI::App* add_to(CLI::App& app) {
    CLI::App* command = app.add_subcommand("run", "boot a kernel and say how it ended");
    command->footer(kFooter);
    image.add_to(*command);
    add_machine_options(*command);
    add_memory_options(*command);
    add_area_options(*command);
    add_output_options(*command);
    add_audit_options(*command);
    return command;
  }

  [[nodiscard]] RunOptions finished() {
    options.image = image.source();
    // The options' checks saw to it that each text is one.
    ExtraAreas& extra = options.memory.extra;
    for (const std::string& text : roms) {
      extra.roms.push_back(parse_rom(text).value_or(RomSpec{}));
    }
    for (const std::string& text : aliases) {
      extra.aliases.push_back(parse_alias(text).value_or(AliasSpec{}));
    }
    for (const std::string& text : holes) {
      extra.holes.push_back(parse_hole(text).value_or(GuestPhysRange()));
    }
    if (timeout_ms != 0) {
      options.timeout = std::chrono::milliseconds(timeout_ms);
    }
    options.unclaimed = strict ? UnclaimedPolicy::kStop : UnclaimedPolicy::kGoOn;
    options.verbosity = verbose ? Verbosity::kVerbose : Verbosity::kNormal;
    options.console = parse_console(console).value_or(ConsoleTarget{});
    options.map = parse_map(map).value_or(MapTarget{});
    if (!report_path.empty()) {
      options.report_path = report_path;
    }
    if (!trace_path.empty()) {
      options.trace_path = trace_path;
    }
    if (!audit_path.empty()) {
      options.audit_path = audit_path;
    }
    for (const std::string& text : watches) {
      if (auto watch = parse_watch(text)) {
        options.watches.push_back(*std::move(watch));
      }
    }
    return options;
  }

 private:
  void add_machine_options(CLI::App& command) {
    constexpr const char* kTimeHint = "give a time such as 500ms, 10s or 2m";
    constexpr const char* kGroup = "The machine";
    add_memory_option(command, options.memory.size);
    command.get_option("--memory")->group(kGroup);
    command.add_option("--cpus", options.vcpu_count, "CPUs of the guest, of which the first boots")
        ->check(saying(CLI::Range(1U, kMaxVcpus), fmt::format("give 1 to {}", kMaxVcpus)))
        ->type_name("COUNT")
        ->default_str("1")
        ->group(kGroup);
    command.add_option("--cmdline,-c", options.command_line, "the kernel's command line")
        ->type_name("TEXT")
        ->group(kGroup);
    command
        .add_option("--irqchip", options.irqchip,
                    "interrupt controllers and timers in KVM: as the image's note asks, on, or off")
        ->transform(one_of<IrqchipChoice>({{"auto", IrqchipChoice::kAsImageNeeds},
                                           {"on", IrqchipChoice::kOn},
                                           {"off", IrqchipChoice::kOff}},
                                          "auto, on, off"))
        ->type_name("auto|on|off")
        ->default_str("auto")
        ->group(kGroup);
    command
        .add_option("--timeout,-t", timeout_ms,
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
        .add_flag("--test-device", options.test_device,
                  "a device through which a kernel compares its idea of memory with the VMM's")
        ->group(kGroup);
    command.add_option("--kvm-device", options.kvm_device, "where KVM is")
        ->type_name("PATH")
        ->default_str("/dev/kvm")
        ->group(kGroup);
    command
        .add_flag("--strict", strict,
                  "an access that no device claims ends the run, instead of reading all ones")
        ->group(kGroup);
  }

  void add_memory_options(CLI::App& command) {
    constexpr const char* kGroup = "Its memory";
    constexpr const char* kGranuleHint = "give auto or a power of two from 4K to 2M";
    constexpr const char* kLimitHint = "give a size such as 64M or 2G";
    command.add_option("--lazy", options.memory.path, "how guest pages come into being")
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
              options.memory.granule = parse_granule(text).value_or(std::nullopt);
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
            "--huge", [this](PageSize size) { options.memory.huge = size; },
            "take RAM from the host's reserved huge pages of this size")
        ->transform(one_of<PageSize>({{"2M", PageSize::k2MiB}, {"1G", PageSize::k1GiB}}, "2M, 1G"))
        ->type_name("2M|1G")
        ->group(kGroup);
    command
        .add_option_function<std::uint64_t>(
            "--memory-limit", [this](std::uint64_t bytes) { options.memory.limit = bytes; },
            "how much RAM may be resident at a time; more ends the run")
        ->transform(saying(CLI::AsSizeValue(false), kLimitHint))
        ->check(saying(CLI::PositiveNumber, kLimitHint))
        ->type_name("SIZE")
        ->group(kGroup);
  }

  void add_area_options(CLI::App& command) {
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
    add("--rom", roms, "ADDRESS:PATH", "read-only memory with the bytes of a file",
        [](const std::string& text) { return parse_rom(text).has_value(); });
    add("--alias", aliases, "ADDRESS:SOURCE:SIZE", "the RAM at SOURCE once more at ADDRESS",
        [](const std::string& text) { return parse_alias(text).has_value(); });
    add("--hole", holes, "ADDRESS:SIZE", "a piece of RAM that is not there",
        [](const std::string& text) { return parse_hole(text).has_value(); });
  }

  void add_output_options(CLI::App& command) {
    constexpr const char* kGroup = "What is shown";
    command.add_option("--console", console, "where the guest's console goes")
        ->check([](const std::string& text) {
          return parse_console(text) ? std::string() : "give stdio, none or file:PATH";
        })
        ->type_name("stdio|none|file:PATH")
        ->default_str("stdio")
        ->group(kGroup);
    command.add_option("--map", map, "draw which guest memory was used: as text, or as a picture")
        ->check([](const std::string& text) {
          return parse_map(text) ? std::string() : "give text or svg:PATH";
        })
        ->type_name("text|svg:PATH")
        ->group(kGroup);
    command.add_option("--json", report_path, "write everything about the run to this file")
        ->type_name("PATH")
        ->group(kGroup);
    command
        .add_option("--trace-exits", trace_path,
                    "write every exit to this file, for ui.perfetto.dev or chrome://tracing")
        ->type_name("PATH")
        ->group(kGroup);
    command
        .add_option(
            "--exit-code-style", options.exit_code_style,
            "what the value v written to the exit port means: v, or (v << 1) | 1 as in QEMU")
        ->transform(one_of<ExitCodeStyle>(
            {{"plain", ExitCodeStyle::kPlain}, {"qemu", ExitCodeStyle::kQemu}}, "plain, qemu"))
        ->type_name("plain|qemu")
        ->default_str("plain")
        ->group(kGroup);
    command.add_flag("-v,--verbose", verbose, "say more about what the run does")->group(kGroup);
  }

  void add_audit_options(CLI::App& command) {
    constexpr const char* kGroup = "What is shown";
    CLI::Option* const audit =
        command
            .add_option(
                "--audit", audit_path,
                "write who touched memory that was missing, denied, unclaimed or watched to "
                "this file, a line of JSON each")
            ->type_name("PATH")
            ->group(kGroup);
    command
        .add_option("--watch", watches,
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
        .add_option("--audit-limit", options.audit_limit,
                    "write this many events at most, and count the rest")
        ->check(saying(CLI::PositiveNumber, "give a number of events"))
        ->needs(audit)
        ->type_name("COUNT")
        ->default_str("")
        ->group(kGroup);
  }
};

/// `nestling inspect`.
struct InspectArguments {
  InspectOptions options;
  ImageArguments image;

  CLI::App* add_to(CLI::App& app) {
    CLI::App* command =
        app.add_subcommand("inspect", "say what a kernel file is, and whether it would boot");
    image.add_to(*command);
    add_memory_option(*command, options.memory_size);
    command->add_flag("--json", options.json, "for programs");
    return command;
  }

  [[nodiscard]] InspectOptions finished() {
    options.image = image.source();
    return options;
  }
};

/// `nestling doctor`.
struct DoctorArguments {
  bool json = false;

  CLI::App* add_to(CLI::App& app) {
    CLI::App* command =
        app.add_subcommand("doctor", "say whether this host can run Nestling, and how to mend it");
    command->add_flag("--json", json, "for programs");
    command->footer("Exit code: 0 when Nestling can run here, 69 when not.");
    return command;
  }

  [[nodiscard]] DoctorOptions finished() const {
    DoctorOptions options;
    options.format = json ? DoctorFormat::kJson : DoctorFormat::kText;
    return options;
  }
};

/// The widths of the help's columns, so that options and their values fit on one line.
constexpr std::size_t kHelpColumn = 34;

int command_line(const std::vector<std::string>& arguments, int argc, const char* const* argv) {
  CLI::App app{"Nestling boots small guest kernels on KVM and says how they ended.", "nestling"};
  app.require_subcommand(0, 1);
  app.failure_message([](const CLI::App* /*app*/, const CLI::Error& error) {
    return fmt::format("nestling: {} (--help says more)\n", error.what());
  });
  app.get_formatter()->column_width(kHelpColumn);
  app.set_version_flag("--version", std::string("nestling ") + kVersion);
  app.footer("Start with:  nestling doctor;  nestling run KERNEL.  More: nestling run --help");
  RunArguments run_arguments;
  InspectArguments inspect_arguments;
  const CLI::App* run_command = run_arguments.add_to(app);
  inspect_arguments.add_to(app);
  DoctorArguments doctor_arguments;
  const CLI::App* doctor_command = doctor_arguments.add_to(app);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : exit_code(ErrorKind::kUsage);
  }
  if (app.get_subcommands().empty()) {
    fmt::print(stderr, "{}", app.help());
    return exit_code(ErrorKind::kUsage);
  }
  if (run_command->parsed()) {
    run_arguments.options.arguments = arguments;
    return run(run_arguments.finished());
  }
  if (doctor_command->parsed()) {
    return doctor(doctor_arguments.finished());
  }
  return inspect(inspect_arguments.finished());
}

/// Smaller than a huge page: a host whose huge pages are "always" on would give one to each stack.
void keep_thread_stacks_small() {
  constexpr std::size_t kStackSize = 1 << 20;
  pthread_attr_t attributes;
  if (pthread_attr_init(&attributes) == 0) {
    if (pthread_attr_setstacksize(&attributes, kStackSize) == 0) {
      (void)pthread_setattr_default_np(&attributes);  // as it was: costs memory, nothing else
    }
    pthread_attr_destroy(&attributes);
  }
}

}  // namespace
}  // namespace nestling

int main(int argc, char** argv) {
  // The control thread hardly allocates: a heap of its own would only cost address space and calls.
  mallopt(M_ARENA_MAX, 1);
  nestling::keep_thread_stacks_small();
  try {
    return nestling::command_line({argv + 1, argv + argc}, argc, argv);
  } catch (const std::exception& error) {
    // Ours never throws; a library did, and memory is the likely reason.
    std::fprintf(stderr, "nestling: bug: %s\n", error.what());
    return nestling::exit_code(nestling::ErrorKind::kBug);
  }
}
