// What one exit to user space and back costs for a write to a port that a device claims: Nestling
// against the bare loop. Each runs a guest with few and one with many writes, in turns; what is
// left of the difference for one write is free of everything else a run does.
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <span>
#include <string>
#include <vector>

#include <fmt/core.h>

#include "bench/alternate.h"

namespace {

using nestling::bench::Command;
using nestling::bench::Series;

/// Writes by which the two guests differ.
constexpr double kMoreWrites = NESTLING_MANY_WRITES - NESTLING_FEW_WRITES;

double us_per_write(const Series& few, const Series& many) {
  std::vector<std::chrono::nanoseconds> differences;
  for (std::size_t i = 0; i < few.runs.size(); ++i) {
    differences.push_back(many.runs[i] - few.runs[i]);
  }
  return nestling::bench::in_ms(nestling::bench::median(differences)) * 1000 / kMoreWrites;
}

}  // namespace

int main(int argc, char** argv) {
  const std::span arguments(argv, static_cast<std::size_t>(argc));
  const unsigned rounds = nestling::bench::rounds_from(arguments, 21);
  const std::string build = NESTLING_BUILD_FOLDER;
  const std::string few = build + "/bench/port_loop_few";
  const std::string many = build + "/bench/port_loop_many";
  const std::array<Command, 4> commands = {
      Command{"nestling, few", {build + "/nestling", "run", few}, 0, ""},
      Command{"nestling, many", {build + "/nestling", "run", many}, 0, ""},
      Command{"bare, few", {build + "/bench/bare_vm", few}, 0, ""},
      Command{"bare, many", {build + "/bench/bare_vm", many}, 0, ""},
  };
  const auto all = nestling::bench::run_alternately(commands, rounds);
  if (!all) {
    fmt::print(stderr, "port_exit: {}\n", all.error().message);
    return 71;
  }
  const double ours = us_per_write((*all)[0], (*all)[1]);
  const double bare = us_per_write((*all)[2], (*all)[3]);
  fmt::print("port_exit: round trip of one port write, median of {} runs in turns\n", rounds);
  fmt::print("{:<14} {:>8.2f} us\n{:<14} {:>8.2f} us\n", "nestling", ours, "bare ioctls", bare);
  fmt::print("nestling / bare ioctls   {:>6.3f}  (goal: at most 1.05)\n", ours / bare);
  return 0;
}
