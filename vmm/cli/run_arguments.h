// `nestling run` and its options.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "vmm/cli/image_arguments.h"
#include "vmm/run_options.h"

namespace nestling {

/// Where the values of the options go while the command line is read, so it must outlive the
/// parsing.
class RunArguments {
 public:
  /// Adds the command to `app`, which owns it.
  CLI::App* add_to(CLI::App& app);

  /// What the command line said; once, after a successful parsing.
  [[nodiscard]] RunOptions finished();

 private:
  void add_machine_options(CLI::App& command);
  void add_memory_options(CLI::App& command);
  void add_area_options(CLI::App& command);
  void add_output_options(CLI::App& command);
  void add_audit_options(CLI::App& command);

  RunOptions options_;
  ImageArguments image_;
  std::uint64_t timeout_ms_ = 0;
  bool strict_ = false;
  bool verbose_ = false;
  std::vector<std::string> roms_;
  std::vector<std::string> aliases_;
  std::vector<std::string> holes_;
  std::string console_ = "stdio";
  std::string map_;
  std::string report_path_;
  std::string trace_path_;
  std::string audit_path_;
  std::vector<std::string> watches_;
};

}  // namespace nestling
