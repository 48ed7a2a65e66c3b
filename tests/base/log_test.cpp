// Log: whole lines on stderr, details only with -v, nothing formatted for nobody.
#include "base/log.h"

#include <algorithm>
#include <string>
#include <thread>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace nestling {
namespace {

/// Counts how often it is formatted.
struct Counted {
  int* count = nullptr;
};

}  // namespace
}  // namespace nestling

template <>
struct fmt::formatter<nestling::Counted> : fmt::formatter<int> {
  auto format(const nestling::Counted& counted, format_context& context) const {
    ++*counted.count;
    return fmt::formatter<int>::format(*counted.count, context);
  }
};

namespace nestling {
namespace {

TEST(Log, WarnsOnStderrWithTheProgramsName) {
  testing::internal::CaptureStderr();
  Log(Verbosity::kNormal).warn("MSR {:#x} is refused", 0x10a);
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "nestling: MSR 0x10a is refused\n");
}

TEST(Log, SaysDetailsOnlyWhenVerbose) {
  testing::internal::CaptureStderr();
  Log(Verbosity::kNormal).detail("unseen");
  Log(Verbosity::kVerbose).detail("seen");
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "nestling: seen\n");
}

TEST(Log, DoesNotFormatADetailThatNobodySees) {
  int count = 0;
  testing::internal::CaptureStderr();
  Log(Verbosity::kNormal).detail("{}", Counted{&count});
  EXPECT_EQ(count, 0);
  Log(Verbosity::kVerbose).detail("{}", Counted{&count});
  EXPECT_EQ(count, 1);
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "nestling: 1\n");
}

TEST(Log, KeepsTheLinesOfSeveralThreadsWhole) {
  const Log log(Verbosity::kNormal);
  testing::internal::CaptureStderr();
  std::vector<std::thread> threads;
  for (char letter = 'a'; letter < 'e'; ++letter) {
    threads.emplace_back([&log, letter] {
      for (int i = 0; i < 50; ++i) {
        log.warn("{}", std::string(100, letter));
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  const std::string output = testing::internal::GetCapturedStderr();
  ASSERT_EQ(output.size(), 4U * 50U * 111U);
  for (std::size_t start = 0; start < output.size(); start += 111) {
    const std::string line = output.substr(start, 111);
    EXPECT_EQ(line, "nestling: " + std::string(100, line.at(10)) + "\n");
  }
}

}  // namespace
}  // namespace nestling
