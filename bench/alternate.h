// Whole programs measured against each other: run in turns, so that a noisy host disturbs all
// alike.
#pragma once

#include <chrono>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"

namespace nestling::bench {

/// A program as execvp takes it, and how a run of it looks when all went well.
struct Command {
  std::string name;
  std::vector<std::string> words;
  int expected_exit_code = 0;
  /// What stands on its standard output; not looked at when empty.
  std::string expected_output;
};

/// What the runs of one command took, from before the process is made until it is reaped.
struct Series {
  std::string name;
  std::vector<std::chrono::nanoseconds> runs;
};

/// Runs every command once and compares exit code and output with what is expected, then
/// `round_count` times each in turns: A B C A B C … The measured runs' output goes nowhere.
/// Fails with kHostRefused when a program cannot be started or does not do what is expected.
[[nodiscard]] Result<std::vector<Series>> run_alternately(std::span<const Command> commands,
                                                          unsigned round_count);

/// The middle one of `runs`, which must not be empty.
[[nodiscard]] std::chrono::nanoseconds median(std::vector<std::chrono::nanoseconds> runs);

/// The median over all rounds of what `over` took in the round, divided by what `under` took in it.
[[nodiscard]] double median_ratio(const Series& over, const Series& under);

/// A number of rounds from the program's only argument, or `otherwise` when it has none.
[[nodiscard]] unsigned rounds_from(std::span<char*> arguments, unsigned otherwise);

/// Milliseconds with fractions.
[[nodiscard]] double in_ms(std::chrono::nanoseconds duration);

}  // namespace nestling::bench
