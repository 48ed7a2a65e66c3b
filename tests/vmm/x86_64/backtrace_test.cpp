// The chain of frame pointers: good ones, and everything a broken guest can leave.
#include "vmm/x86_64/backtrace.h"

#include <gtest/gtest.h>

#include "tests/support/tiny_guest.h"

namespace nestling::x86_64 {
namespace {

using List = std::vector<std::uint64_t>;

List addresses(const Backtrace& trace) {
  List list;
  for (const StackFrame& frame : trace.frames) {
    list.push_back(frame.address.value());
  }
  return list;
}

/// What a function's prologue and its call leave on the stack at `at`.
struct Saved {
  std::uint64_t at = 0;
  std::uint64_t frame_pointer = 0;
  std::uint64_t return_address = 0;
};

void push_frame(TinyGuest& guest, const Saved& saved) {
  guest.write64(saved.at, saved.frame_pointer);
  guest.write64(saved.at + 8, saved.return_address);
}

Backtrace trace_of(TinyGuest& guest, std::size_t max_frames = 32) {
  GuestView view(guest.cpu(), guest.memory(), {});
  return backtrace(view, max_frames);
}

TEST(Backtrace, FollowsFramePointersToTheOutermostFrame) {
  TinyGuest guest;
  push_frame(guest, {0x7000, 0x7100, 0x100'100});
  push_frame(guest, {0x7100, 0x7200, 0x100'200});
  push_frame(guest, {0x7200, 0, 0});
  guest.cpu().rbp = 0x7000;
  const Backtrace trace = trace_of(guest);
  EXPECT_EQ(addresses(trace), (List{TinyGuest::kCode, 0x100'100, 0x100'200}));
  EXPECT_EQ(trace.frames.front().kind, StackFrame::Kind::kCurrent);
  EXPECT_EQ(trace.frames.back().kind, StackFrame::Kind::kCaller);
  EXPECT_EQ(trace.end, "outermost frame");
}

TEST(Backtrace, OfAGuestWithoutFramesIsTheInstructionAlone) {
  TinyGuest guest;
  const Backtrace trace = trace_of(guest);
  EXPECT_EQ(addresses(trace), (List{TinyGuest::kCode}));
  EXPECT_EQ(trace.end, "outermost frame");
}

TEST(Backtrace, EndsAtACycle) {
  TinyGuest guest;
  push_frame(guest, {0x7000, 0x7100, 0x100'100});
  push_frame(guest, {0x7100, 0x7000, 0x100'200});
  guest.cpu().rbp = 0x7000;
  const Backtrace trace = trace_of(guest);
  EXPECT_EQ(addresses(trace), (List{TinyGuest::kCode, 0x100'100, 0x100'200}));
  EXPECT_EQ(trace.end, "frame pointer 0x7000 does not go up from 0x7100");
}

TEST(Backtrace, EndsAtAFrameThatPointsToItself) {
  TinyGuest guest;
  push_frame(guest, {0x7000, 0x7000, 0x100'100});
  guest.cpu().rbp = 0x7000;
  EXPECT_EQ(trace_of(guest).end, "frame pointer 0x7000 does not go up from 0x7000");
}

TEST(Backtrace, EndsAtAPointerThatIsNotMapped) {
  TinyGuest guest;
  guest.cpu().rbp = 0x4000'0000;
  EXPECT_EQ(trace_of(guest).end, "frame pointer 0x40000000 is not mapped");
}

TEST(Backtrace, EndsAtAPointerThatIsNotCanonical) {
  TinyGuest guest;
  guest.cpu().rbp = 0x8000'0000'0000'0000;
  EXPECT_EQ(trace_of(guest).end, "frame pointer 0x8000000000000000 is not mapped");
}

TEST(Backtrace, EndsAtTheTopOfTheAddressSpace) {
  TinyGuest guest;
  guest.cpu().rbp = 0xffff'ffff'ffff'fff8;
  EXPECT_EQ(trace_of(guest).end, "frame pointer 0xfffffffffffffff8 is not mapped");
}

TEST(Backtrace, EndsWhereHalfAFrameIsMapped) {
  TinyGuest guest;
  guest.cpu().rbp = TinyGuest::kSmallPages - 8;
  EXPECT_EQ(trace_of(guest).end, "frame pointer 0x1ffff8 is not mapped");
}

TEST(Backtrace, EndsAtAMisalignedPointer) {
  TinyGuest guest;
  guest.cpu().rbp = 0x7003;
  EXPECT_EQ(trace_of(guest).end, "frame pointer 0x7003 is not aligned");
}

TEST(Backtrace, IsCutWhereTheChainIsTooLong) {
  TinyGuest guest;
  for (std::uint64_t at = 0x10'8000; at < 0x10'9000; at += 16) {
    push_frame(guest, {at, at + 16, 0x100'100});
  }
  guest.cpu().rbp = 0x10'8000;
  const Backtrace trace = trace_of(guest, 5);
  EXPECT_EQ(trace.frames.size(), 5U);
  EXPECT_EQ(trace.end, "cut after 5 frames");
}

TEST(Backtrace, ReadsFramesOfFourByteWordsIn32BitCode) {
  TinyGuest guest;
  CpuState& cpu = guest.cpu();
  cpu.cr0 = 0x11;
  cpu.efer = 0;
  cpu.cs.long_mode = false;
  cpu.cs.default_big = true;
  guest.write64(0x7000, 0x0010'0100'0000'7100);  // caller 0x7100, returns to 0x100100
  guest.write64(0x7100, 0);
  cpu.rbp = 0xffff'ffff'0000'7000;
  EXPECT_EQ(addresses(trace_of(guest)), (List{TinyGuest::kCode, 0x100'100}));
}

TEST(Backtrace, DoesNotGuessIn16BitCode) {
  TinyGuest guest;
  guest.cpu() = CpuState{};
  guest.cpu().rbp = 0x7000;
  EXPECT_EQ(trace_of(guest).end, "16-bit code keeps no chain of frames");
}

}  // namespace
}  // namespace nestling::x86_64
