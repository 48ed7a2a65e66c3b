// Random operations on an address space against a flat model of its pages, in every entry format.
#include "tests/support/address_space_model.h"

#include <cstdlib>
#include <string>

#include <gtest/gtest.h>

namespace nestling {
namespace {

using testing::ModelSetup;

/// A number from the environment, for replays and for longer runs.
std::optional<std::uint64_t> from_environment(const char* name) {
  const char* const text = std::getenv(name);
  return text == nullptr ? std::nullopt : std::optional(std::strtoull(text, nullptr, 0));
}

bool is_nightly() { return from_environment("NESTLING_NIGHTLY").value_or(0) != 0; }

/// Runs `count` operations in sequences of at most 2000, and shrinks the first that fails.
void run(const ModelSetup& setup, std::uint64_t seed, std::size_t count) {
  const auto chosen = from_environment("NESTLING_SEED");
  seed = chosen.value_or(seed);
  for (std::size_t done = 0; done < count; ++seed) {
    const std::size_t length = std::min<std::size_t>(2000, count - done);
    const auto operations = testing::random_operations(seed, length, setup);
    const auto failure = testing::run_against_model(setup, operations);
    if (failure) {
      std::string text;
      for (const auto& operation : testing::shrink(setup, operations)) {
        text += "\n  " + testing::describe(operation);
      }
      FAIL() << *failure << "\nreplay with NESTLING_SEED=" << seed << "; shrunk to:" << text;
    }
    done += length;
    if (chosen) {
      break;
    }
  }
}

class EveryFormat : public ::testing::TestWithParam<Stage2Kind> {};

TEST_P(EveryFormat, AnswersLikeAFlatModelAfterEveryOperation) {
  ModelSetup setup = testing::small_setup(GetParam());
  const std::uint64_t seed = 1000 * (1 + static_cast<std::uint64_t>(GetParam()));
  const std::size_t count = is_nightly() ? 40'000 : 200;
  for (const std::uint64_t granule : {1ULL << 12, 1ULL << 16, 1ULL << 21}) {
    setup.fault_granule = granule;
    run(setup, seed + granule, count);
  }
}

TEST_P(EveryFormat, ChangesNothingWhenMemoryRunsOutInTheMiddleOfAnything) {
  ModelSetup setup = testing::small_setup(GetParam());
  const std::uint64_t seed = 1'000'000 * (1 + static_cast<std::uint64_t>(GetParam()));
  for (const std::uint64_t limit_pages : {3U, 40U, 700U}) {
    setup.limit = limit_pages * kPageSize;
    setup.fault_granule = limit_pages == 40 ? 1ULL << 16 : 1ULL << 21;
    run(setup, seed + limit_pages, is_nightly() ? 20'000 : 120);
  }
}

TEST_P(EveryFormat, AnswersLikeAFlatModelWithPagesOfOneGibibyte) {
  const ModelSetup setup = testing::large_setup(GetParam());
  run(setup, 77 + static_cast<std::uint64_t>(GetParam()), is_nightly() ? 500 : 3);
}

INSTANTIATE_TEST_SUITE_P(AddressSpace, EveryFormat, ::testing::ValuesIn(kStage2Kinds),
                         [](const auto& test) {
                           return "Format" + std::to_string(static_cast<int>(test.param));
                         });

}  // namespace
}  // namespace nestling
