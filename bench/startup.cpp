// How long a whole run of the hello guest takes, from making the process to reaping it: Nestling in
// turns with the bare yardstick, then with QEMU's microvm and an equivalent guest.
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdio>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <fmt/core.h>

#include "bench/alternate.h"

namespace {

using nestling::bench::Command;
using nestling::bench::Series;

constexpr const char* kQemu = "/usr/bin/qemu-system-x86_64";
constexpr const char* kWords = "Hello from a Nestling guest.\n";

std::string in_build(const char* path) { return std::string(NESTLING_BUILD_FOLDER) + path; }

Command nestling_command() {
  return {"nestling", {in_build("/nestling"), "run", in_build("/guest/hello")}, 0, kWords};
}

Command bare_command() {
  return {"bare ioctls", {in_build("/bench/bare_vm"), in_build("/guest/hello")}, 0, kWords};
}

Command qemu_command() {
  // Status 0 through isa-debug-exit is exit code (0 << 1) | 1.
  return {
      "qemu microvm",
      {kQemu, "-M", "microvm,accel=kvm,pit=off,pic=off,rtc=off,isa-serial=on", "-cpu", "qemu64",
       "-m", "128M", "-nodefaults", "-no-user-config", "-display", "none", "-serial", "stdio",
       "-device", "isa-debug-exit,iobase=0xf4,iosize=4", "-kernel", in_build("/bench/pvh_hello")},
      1,
      kWords};
}

void print_row(const Series& series) {
  const auto fastest = *std::min_element(series.runs.begin(), series.runs.end());
  fmt::print("{:<14} {:>9.2f} ms {:>9.2f} ms\n", series.name,
             nestling::bench::in_ms(nestling::bench::median(series.runs)),
             nestling::bench::in_ms(fastest));
}

/// Runs `commands`, two, in turns and prints both; the two series, or nothing when one failed.
std::optional<std::vector<Series>> compare(std::span<const Command> commands, unsigned rounds) {
  auto both = nestling::bench::run_alternately(commands, rounds);
  if (!both) {
    fmt::print(stderr, "startup: {}\n", both.error().message);
    return std::nullopt;
  }
  for (const Series& series : *both) {
    print_row(series);
  }
  return *std::move(both);
}

}  // namespace

// Two comparisons, not one of three: a program that runs right behind QEMU finds the processor's
// caches full of QEMU, and the other one does not.
int main(int argc, char** argv) {
  const std::span arguments(argv, static_cast<std::size_t>(argc));
  const unsigned rounds = nestling::bench::rounds_from(arguments, 100);
  fmt::print("startup: start to exit of the hello guest, {} runs each, two in turns\n", rounds);
  fmt::print("{:<14} {:>12} {:>12}\n", "", "median", "fastest");
  const auto bare = compare(std::array{nestling_command(), bare_command()}, rounds);
  if (!bare) {
    return 71;
  }
  fmt::print("nestling / bare ioctls   {:>6.2f}   (goal: at most 1.25)\n",
             nestling::bench::median_ratio((*bare)[0], (*bare)[1]));
  if (access(kQemu, X_OK) != 0) {
    fmt::print("qemu microvm: skipped, {} is not installed\n", kQemu);
    return 0;
  }
  const auto qemu = compare(std::array{nestling_command(), qemu_command()}, rounds);
  if (!qemu) {
    return 71;
  }
  fmt::print("qemu microvm / nestling  {:>6.1f}   (goal: at least 15)\n",
             nestling::bench::median_ratio((*qemu)[1], (*qemu)[0]));
  return 0;
}
