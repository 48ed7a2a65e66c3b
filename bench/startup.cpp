// How long a whole run of the hello guest takes, from making the process to reaping it: Nestling,
// the bare yardstick, and QEMU's microvm with an equivalent guest, all in turns.
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <span>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "bench/alternate.h"

namespace {

using nestling::bench::Command;
using nestling::bench::Series;

constexpr const char* kQemu = "/usr/bin/qemu-system-x86_64";
constexpr const char* kWords = "Hello from ring 0 of a Nestling guest.\n";

std::vector<Command> commands() {
  const std::string build = NESTLING_BUILD_FOLDER;
  const std::string hello = build + "/guest/hello";
  std::vector<Command> all = {
      {"nestling", {build + "/nestling", "run", hello}, 0, kWords},
      {"bare ioctls", {build + "/bench/bare_vm", hello}, 0, kWords},
  };
  if (access(kQemu, X_OK) == 0) {
    // Status 0 through isa-debug-exit is exit code (0 << 1) | 1.
    all.push_back(
        {"qemu microvm",
         {kQemu, "-M", "microvm,accel=kvm,pit=off,pic=off,rtc=off,isa-serial=on", "-cpu", "qemu64",
          "-m", "128M", "-nodefaults", "-no-user-config", "-display", "none", "-serial", "stdio",
          "-device", "isa-debug-exit,iobase=0xf4,iosize=4", "-kernel", build + "/bench/pvh_hello"},
         1,
         kWords});
  }
  return all;
}

void print_row(const Series& series) {
  const auto fastest = *std::min_element(series.runs.begin(), series.runs.end());
  fmt::print("{:<14} {:>9.2f} ms {:>9.2f} ms\n", series.name,
             nestling::bench::in_ms(nestling::bench::median(series.runs)),
             nestling::bench::in_ms(fastest));
}

}  // namespace

int main(int argc, char** argv) {
  const std::span arguments(argv, static_cast<std::size_t>(argc));
  const unsigned rounds = nestling::bench::rounds_from(arguments, 100);
  const auto all = nestling::bench::run_alternately(commands(), rounds);
  if (!all) {
    fmt::print(stderr, "startup: {}\n", all.error().message);
    return 71;
  }
  fmt::print("startup: start to exit of the hello guest, {} runs each in turns\n", rounds);
  fmt::print("{:<14} {:>12} {:>12}\n", "", "median", "fastest");
  for (const Series& series : *all) {
    print_row(series);
  }
  fmt::print("nestling / bare ioctls   {:>6.2f}   (goal: at most 1.25)\n",
             nestling::bench::median_ratio((*all)[0], (*all)[1]));
  if (all->size() > 2) {
    fmt::print("qemu microvm / nestling  {:>6.1f}   (goal: at least 15)\n",
               nestling::bench::median_ratio((*all)[2], (*all)[0]));
  } else {
    fmt::print("qemu microvm: skipped, {} is not installed\n", kQemu);
  }
  return 0;
}
