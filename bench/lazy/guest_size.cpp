// Whether a guest's size costs anything before it is used: whole runs of the hello guest with
// 128 MiB, 4 GiB and 64 GiB, in turns: time to the first instruction, in all, and memory resident.
#include <sys/resource.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <string>
#include <vector>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "bench/alternate.h"
#include "tests/support/program.h"
#include "tests/support/temporary_folder.h"

namespace {

using nestling::testing::ProgramCall;
using nestling::testing::TemporaryFolder;

struct Size {
  std::string memory;
  std::vector<double> first_instruction_ms = {};
  std::vector<double> end_ms = {};
  std::vector<double> resident_kib = {};
};

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

bool run_once(Size& size, const std::string& report) {
  ProgramCall call;
  call.path = std::string(NESTLING_BUILD_FOLDER) + "/nestling";
  call.arguments = {"run",      std::string(NESTLING_BUILD_FOLDER) + "/guest/hello",
                    "--memory", size.memory,
                    "--json",   report};
  const auto end = nestling::testing::run_program(call);
  if (!end || end->exit_code != 0) {
    fmt::print(stderr, "guest_size: {}\n", end ? end->errors : end.error().message);
    return false;
  }
  const auto json = nlohmann::json::parse(std::ifstream(report), nullptr, false);
  if (json.is_discarded()) {
    fmt::print(stderr, "guest_size: the report is no JSON\n");
    return false;
  }
  constexpr double kNanosecondsInMs = 1e6;
  const auto& times = json.at("times");
  size.first_instruction_ms.push_back(times.at("first_guest_instruction_ns").get<double>() /
                                      kNanosecondsInMs);
  size.end_ms.push_back(times.at("end_ns").get<double>() / kNanosecondsInMs);
  size.resident_kib.push_back(json.at("nestling").at("peak_resident_bytes").get<double>() / 1024);
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  const std::span arguments(argv, static_cast<std::size_t>(argc));
  const unsigned rounds = nestling::bench::rounds_from(arguments, 21);
  const TemporaryFolder folder;
  std::vector<Size> sizes = {{"128M"}, {"4G"}, {"64G"}};
  for (unsigned round = 0; round < rounds; ++round) {
    for (Size& size : sizes) {
      if (!run_once(size, folder.file("report.json"))) {
        return 71;
      }
    }
  }
  fmt::print("guest_size: whole runs of the hello guest, medians of {} in turns\n", rounds);
  fmt::print("{:<8} {:>22} {:>12} {:>16}\n", "memory", "first instruction", "end", "peak resident");
  for (const Size& size : sizes) {
    fmt::print("{:<8} {:>19.2f} ms {:>9.2f} ms {:>12.0f} KiB\n", size.memory,
               median(size.first_instruction_ms), median(size.end_ms), median(size.resident_kib));
  }
  const Size& least = sizes.front();
  const Size& most = sizes.back();
  fmt::print(
      "64G / 128M: {:.2f} to the first instruction, {:.2f} resident (goal: within 1.10),\n"
      "{:.0f} KiB more resident (goal: below 3072)\n",
      median(most.first_instruction_ms) / median(least.first_instruction_ms),
      median(most.resident_kib) / median(least.resident_kib),
      median(most.resident_kib) - median(least.resident_kib));
  return 0;
}
