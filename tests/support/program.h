// Runs a real program to its end, with arguments, input, a deadline, and all it says captured.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"

namespace nestling::testing {

/// What to run, and how. No shell is involved.
struct ProgramCall {
  /// A signal for the program once its standard output contains `when_output_has`.
  struct Signal {
    std::string when_output_has;
    int number = 0;
  };
  enum class Output : std::uint8_t { kCaptured, kClosed };

  std::string path;
  std::vector<std::string> arguments;  ///< without the program's own name
  std::string input;                   ///< at most 64 KiB, which then ends
  std::chrono::milliseconds timeout = std::chrono::seconds(30);  ///< scaled(); then it is killed
  std::optional<Signal> signal;
  Output output = Output::kCaptured;
  /// Run as this user instead of ours, which must be root.
  std::optional<unsigned> user;
};

/// How it ended.
struct ProgramEnd {
  int exit_code = -1;  ///< -1 when a signal ended it
  int signal = 0;      ///< that signal, or 0
  bool timed_out = false;
  std::string output;  ///< standard output
  std::string errors;  ///< standard error
};

/// kHostRefused when it cannot even be started; a program that cannot be executed exits with 127.
[[nodiscard]] Result<ProgramEnd> run_program(const ProgramCall& call);

}  // namespace nestling::testing
