// What it costs a guest to touch memory for the first time, on every path that may serve it, beside
// a process that touches anonymous memory and a bare VM with plain demand paging; all in turns.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include <fmt/core.h>

#include "bench/alternate.h"
#include "bench/lazy/tick_rate.h"
#include "tests/support/program.h"

namespace {

using nestling::testing::ProgramCall;
using nestling::testing::ProgramEnd;

std::string in_build(const char* path) { return std::string(NESTLING_BUILD_FOLDER) + path; }

/// `count` words, `stride` bytes apart.
struct Pattern {
  const char* name;
  std::uint64_t stride;
  std::uint64_t count;
};

constexpr std::uint64_t k4KiB = 4096;
constexpr std::uint64_t k2MiB = 2 << 20;
/// Guest-physical: behind everything that the loader writes.
constexpr std::uint64_t kStart = 64 << 20;
constexpr std::uint64_t kMemoryMebibytes = 1024;
constexpr Pattern kDense{"every 4 KiB", k4KiB, (64 << 20) / k4KiB};
constexpr Pattern kSparse{"every 2 MiB", k2MiB, (512 << 20) / k2MiB};

std::string guest_words(const Pattern& pattern) {
  return fmt::format("start={:#x} stride={:#x} count={}", kStart, pattern.stride, pattern.count);
}

/// One way of touching memory.
struct Contender {
  enum class Kind : std::uint8_t { kProcess, kBareVm, kNestling };
  Kind kind;
  std::string name;
  std::vector<std::string> options;
  std::vector<double> microseconds = {};  // for each touch, one a round
  std::string refusal = {};               // why it does not run here
};

ProgramCall call_of(const Contender& contender, const Pattern& pattern) {
  ProgramCall call;
  call.timeout = std::chrono::minutes(5);
  const std::string guest = in_build("/guest/first-touch");
  switch (contender.kind) {
    case Contender::Kind::kProcess:
      call.path = in_build("/bench/lazy/plain_touch");
      call.arguments = {contender.options.front(), std::to_string(pattern.stride),
                        std::to_string(pattern.count)};
      break;
    case Contender::Kind::kBareVm:
      call.path = in_build("/bench/bare_vm");
      call.arguments = {guest, std::to_string(kMemoryMebibytes), contender.options.front(),
                        guest_words(pattern)};
      break;
    case Contender::Kind::kNestling:
      call.path = in_build("/nestling");
      call.arguments = {"run",       guest,
                        "--memory",  fmt::format("{}M", kMemoryMebibytes),
                        "--cmdline", guest_words(pattern)};
      call.arguments.insert(call.arguments.end(), contender.options.begin(),
                            contender.options.end());
      break;
  }
  return call;
}

/// Microseconds a touch, out of "N touches in T ticks of F a second".
std::optional<double> microseconds_a_touch(const std::string& line, double host_rate) {
  std::istringstream words(line);
  double touches = 0;
  double ticks = 0;
  double rate = 0;
  std::string skipped;
  words >> touches >> skipped >> skipped >> ticks >> skipped >> skipped >> rate;
  if (!words || touches == 0) {
    return std::nullopt;
  }
  return ticks / (rate == 0 ? host_rate : rate) * 1e6 / touches;
}

/// Runs `contender` once; when it does not work, it is left out from then on.
void run_once(Contender& contender, const Pattern& pattern, double host_rate) {
  const auto end = nestling::testing::run_program(call_of(contender, pattern));
  if (!end) {
    contender.refusal = end.error().message;
    return;
  }
  const auto cost = microseconds_a_touch(end->output, host_rate);
  if (end->exit_code != 0 || !cost) {
    contender.refusal = fmt::format("exit code {}: {}{}", end->exit_code, end->output, end->errors);
    std::replace(contender.refusal.begin(), contender.refusal.end(), '\n', ' ');
    return;
  }
  contender.microseconds.push_back(*cost);
}

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

/// The median over the rounds of what `over` took in a round, divided by what `under` took in it.
double median_ratio(const Contender& over, const Contender& under) {
  std::vector<double> ratios;
  for (std::size_t i = 0; i < over.microseconds.size(); ++i) {
    ratios.push_back(over.microseconds[i] / under.microseconds.at(i));
  }
  return median(ratios);
}

std::vector<Contender> contenders() {
  using Kind = Contender::Kind;
  std::vector<Contender> all = {
      {Kind::kProcess, "process, small pages", {"small"}},
      {Kind::kProcess, "process, huge pages", {"huge"}},
      {Kind::kBareVm, "bare VM, small pages", {"small"}},
      {Kind::kBareVm, "bare VM, huge pages", {"huge"}},
      {Kind::kNestling, "nestling, default", {}},
      {Kind::kNestling, "nestling, off", {"--lazy", "off"}},
  };
  for (const std::string path : {"host", "uffd", "mmio", "fault"}) {
    for (const std::string granule : {"4K", "64K", "2M"}) {
      all.push_back({Kind::kNestling,
                     fmt::format("nestling, {} {}", path, granule),
                     {"--lazy", path, "--granule", granule}});
    }
  }
  return all;
}

void print_table(const std::vector<Contender>& all, const Pattern& pattern) {
  constexpr std::size_t kBareSmall = 2;
  constexpr std::size_t kBareHuge = 3;
  fmt::print("\nfirst touch of {}, {} touches: microseconds each, seen from inside\n", pattern.name,
             pattern.count);
  fmt::print("{:<24} {:>9} {:>9} {:>13} {:>13}\n", "", "median", "fastest", "/ bare small",
             "/ bare huge");
  for (const Contender& each : all) {
    if (!each.refusal.empty()) {
      fmt::print("{:<24} not here: {}\n", each.name, each.refusal);
      continue;
    }
    fmt::print("{:<24} {:>9.2f} {:>9.2f}", each.name, median(each.microseconds),
               *std::min_element(each.microseconds.begin(), each.microseconds.end()));
    for (const std::size_t yardstick : {kBareSmall, kBareHuge}) {
      if (all.at(yardstick).refusal.empty()) {
        fmt::print(" {:>13.2f}", median_ratio(each, all.at(yardstick)));
      }
    }
    fmt::print("\n");
  }
}

}  // namespace

int main(int argc, char** argv) {
  const std::span arguments(argv, static_cast<std::size_t>(argc));
  const unsigned rounds = nestling::bench::rounds_from(arguments, 5);
  const double host_rate = nestling::bench::ticks_per_second();
  bool vm_ran = false;
  for (const Pattern& pattern : {kDense, kSparse}) {
    std::vector<Contender> all = contenders();
    for (unsigned round = 0; round < rounds; ++round) {
      for (Contender& each : all) {
        if (each.refusal.empty()) {
          run_once(each, pattern, host_rate);
        }
      }
    }
    print_table(all, pattern);
    vm_ran = vm_ran || std::any_of(all.begin(), all.end(), [](const Contender& each) {
               return each.kind == Contender::Kind::kNestling && each.refusal.empty();
             });
  }
  fmt::print(
      "\ngoals: nestling's default at most 1.3 of the bare VM with huge pages, every 4 KiB;\n"
      "       at most 2 of it, every 2 MiB\n");
  return vm_ran ? 0 : 71;
}
