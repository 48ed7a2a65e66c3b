// Exit codes, as the table in the README has them, and who decides a run.
#include "vmm/verdict.h"

#include <limits>
#include <thread>

#include <gtest/gtest.h>

#include "vmm/verdict_box.h"

namespace nestling {
namespace {

int guest_exit_code(std::uint64_t status) {
  return exit_code(
      Verdict{.kind = VerdictKind::kGuestExit, .reason = "exit", .guest_status = status});
}

TEST(Verdict, PassesAGuestStatusThroughUpTo63) {
  EXPECT_EQ(guest_exit_code(0), 0);
  EXPECT_EQ(guest_exit_code(1), 1);
  EXPECT_EQ(guest_exit_code(63), 63);
  EXPECT_EQ(guest_exit_code(64), 63);
  EXPECT_EQ(guest_exit_code(std::numeric_limits<std::uint64_t>::max()), 63);
}

TEST(Verdict, HasTheDocumentedExitCodes) {
  const auto code = [](VerdictKind kind) { return exit_code(Verdict{.kind = kind, .reason = ""}); };
  EXPECT_EQ(code(VerdictKind::kTripleFault), 80);
  EXPECT_EQ(code(VerdictKind::kReset), 80);
  EXPECT_EQ(code(VerdictKind::kGuestPanic), 81);
  EXPECT_EQ(code(VerdictKind::kHang), 82);
  EXPECT_EQ(code(VerdictKind::kUnhandledExit), 83);
  EXPECT_EQ(code(VerdictKind::kTimeout), 124);
  EXPECT_EQ(code(VerdictKind::kInterrupted), 130);
  EXPECT_EQ(code(VerdictKind::kHostRefused), 71);
  EXPECT_EQ(exit_code(ErrorKind::kUsage), 64);
  EXPECT_EQ(exit_code(ErrorKind::kBadImage), 65);
  EXPECT_EQ(exit_code(ErrorKind::kNoInput), 66);
  EXPECT_EQ(exit_code(ErrorKind::kNoKvm), 69);
  EXPECT_EQ(exit_code(ErrorKind::kBug), 70);
  EXPECT_EQ(exit_code(ErrorKind::kHostRefused), 71);
}

TEST(Verdict, CountsAGuestExitWhoseOutputWasLostAsRefusedByTheHost) {
  const Error loss{ErrorKind::kHostRefused, "cannot write: No space left on device"};
  const Verdict lost = with_lost_output(
      {.kind = VerdictKind::kGuestExit, .reason = "exit status 0", .guest_status = 0}, loss);
  EXPECT_EQ(exit_code(lost), 71);
  EXPECT_NE(lost.reason.find("exit status 0"), std::string::npos);
  const Verdict crash =
      with_lost_output({.kind = VerdictKind::kTripleFault, .reason = "triple fault"}, loss);
  EXPECT_EQ(exit_code(crash), 80);
  EXPECT_NE(crash.reason.find("No space"), std::string::npos);
}

TEST(VerdictBox, KeepsTheFirstProposal) {
  VerdictBox box(ExitCodeStyle::kPlain);
  EXPECT_FALSE(box.is_decided());
  box.guest_exit(3);
  box.propose({.kind = VerdictKind::kTimeout, .reason = "late"});
  EXPECT_TRUE(box.is_decided());
  EXPECT_EQ(box.verdict().kind, VerdictKind::kGuestExit);
  EXPECT_EQ(box.verdict().guest_status, 3U);
}

TEST(VerdictBox, KnowsTheThreadThatDecided) {
  VerdictBox box(ExitCodeStyle::kPlain);
  EXPECT_FALSE(box.was_decided_by_this_thread());
  std::thread([&box] {
    box.guest_exit(3);
    EXPECT_TRUE(box.was_decided_by_this_thread());
  }).join();
  box.guest_exit(4);
  EXPECT_FALSE(box.was_decided_by_this_thread());
}

TEST(VerdictBox, ShiftsTheStatusInQemusStyle) {
  VerdictBox box(ExitCodeStyle::kQemu);
  box.guest_exit(16);
  EXPECT_EQ(box.verdict().guest_status, 33U);
  EXPECT_EQ(exit_code(box.verdict()), 33);
}

TEST(VerdictBox, NamesWhoResetOrPanicked) {
  VerdictBox reset(ExitCodeStyle::kPlain);
  reset.reset("the i8042");
  EXPECT_EQ(reset.verdict().reason, "reset by the i8042");
  VerdictBox panic(ExitCodeStyle::kPlain);
  panic.panic("pvpanic");
  EXPECT_EQ(panic.verdict().kind, VerdictKind::kGuestPanic);
}

}  // namespace
}  // namespace nestling
