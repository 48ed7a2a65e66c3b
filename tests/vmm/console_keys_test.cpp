// The console's keys: what reaches the guest, what is a command, wherever the input is cut.
#include "vmm/console_keys.h"

#include <string>
#include <string_view>

#include <gtest/gtest.h>

namespace nestling {
namespace {

using Request = ConsoleKeys::Outcome::Request;

std::string text_of(const std::vector<std::byte>& bytes) {
  std::string text;
  for (const std::byte byte : bytes) {
    text.push_back(static_cast<char>(byte));
  }
  return text;
}

ConsoleKeys::Outcome feed(ConsoleKeys& keys, std::string_view typed) {
  return keys.feed(std::as_bytes(std::span(typed)));
}

TEST(ConsoleKeys, PassOrdinaryKeysOn) {
  ConsoleKeys keys;
  const auto outcome = feed(keys, std::string_view("ls\r\x03\x1b[A\0\xff", 9));
  EXPECT_EQ(text_of(outcome.for_guest), std::string("ls\r\x03\x1b[A\0\xff", 9));
  EXPECT_EQ(outcome.request, Request::kNone);
}

TEST(ConsoleKeys, QuitAndDropWhatFollows) {
  ConsoleKeys keys;
  const auto outcome = feed(keys, "a\x01xb");
  EXPECT_EQ(text_of(outcome.for_guest), "a");
  EXPECT_EQ(outcome.request, Request::kQuit);
}

TEST(ConsoleKeys, AskForHelp) {
  ConsoleKeys keys;
  const auto outcome = feed(keys, "a\x01hb");
  EXPECT_EQ(text_of(outcome.for_guest), "ab");
  EXPECT_EQ(outcome.request, Request::kHelp);
}

TEST(ConsoleKeys, SendCtrlAInTwoWays) {
  ConsoleKeys keys;
  const auto outcome = feed(keys,
                            "\x01\x01-\x01"
                            "a-");
  EXPECT_EQ(text_of(outcome.for_guest), "\x01-\x01-");
  EXPECT_EQ(outcome.request, Request::kNone);
}

TEST(ConsoleKeys, HintAtHelpForAnUnknownKeyAndSwallowIt) {
  ConsoleKeys keys;
  const auto outcome = feed(keys, "a\x01qb");
  EXPECT_EQ(text_of(outcome.for_guest), "ab");
  EXPECT_EQ(outcome.request, Request::kHint);
}

TEST(ConsoleKeys, PreferHelpToAHintAndQuittingToBoth) {
  ConsoleKeys keys;
  EXPECT_EQ(feed(keys, "\x01h\x01q").request, Request::kHelp);
  EXPECT_EQ(feed(keys, "\x01q\x01h\x01x").request, Request::kQuit);
}

TEST(ConsoleKeys, MeanTheSameWhereverTheInputIsCut) {
  const std::string_view typed =
      "one\x01\x01two\x01h\x01"
      "a\x01qthree";
  for (std::size_t cut = 0; cut <= typed.size(); ++cut) {
    ConsoleKeys keys;
    const auto first = feed(keys, typed.substr(0, cut));
    const auto second = feed(keys, typed.substr(cut));
    EXPECT_EQ(text_of(first.for_guest) + text_of(second.for_guest), "one\x01two\x01three")
        << "cut at " << cut;
    EXPECT_EQ(std::max(first.request, second.request), Request::kHelp) << "cut at " << cut;
  }
}

TEST(ConsoleKeys, AreAllNamedInTheHelp) {
  for (const char* key : {"Ctrl-A x", "Ctrl-A h", "Ctrl-A a"}) {
    EXPECT_NE(ConsoleKeys::help().find(key), std::string_view::npos) << key;
  }
  EXPECT_NE(ConsoleKeys::hint().find("Ctrl-A h"), std::string_view::npos);
}

}  // namespace
}  // namespace nestling
