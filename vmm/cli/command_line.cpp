// Adding the commands, reading the arguments, and doing what they say.
#include "vmm/cli/command_line.h"

#include <cstdio>
#include <string>

#include <CLI/CLI.hpp>
#include <fmt/core.h>

#include "vmm/cli/image_arguments.h"
#include "vmm/cli/run_arguments.h"
#include "vmm/doctor_command.h"
#include "vmm/inspect_command.h"
#include "vmm/run_command.h"
#include "vmm/verdict.h"
#include "vmm/version.h"

namespace nestling {
namespace {

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

}  // namespace

int command_line(int argc, const char* const* argv) {
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
    RunOptions options = run_arguments.finished();
    options.arguments.assign(argv + 1, argv + argc);
    return run(options);
  }
  if (doctor_command->parsed()) {
    return doctor(doctor_arguments.finished());
  }
  return inspect(inspect_arguments.finished());
}

}  // namespace nestling
