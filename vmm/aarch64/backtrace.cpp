// Following frame records that nobody vouches for.
#include "vmm/aarch64/backtrace.h"

#include <array>

#include <fmt/core.h>

namespace nestling::aarch64 {

Backtrace backtrace(GuestView& view, std::size_t max_frames) {
  Backtrace trace;
  trace.frames.push_back({StackFrame::Kind::kCurrent, GuestVirtAddr(view.cpu().pc)});
  if ((view.cpu().pstate & kPstateAarch32) != 0) {
    trace.end = "AArch32 code keeps no such chain";
    return trace;
  }
  constexpr std::size_t kFramePointer = 29;
  std::uint64_t frame = view.cpu().x.at(kFramePointer);
  while (frame != 0) {
    if (trace.frames.size() >= max_frames) {
      trace.end = fmt::format("cut after {} frames", max_frames);
      return trace;
    }
    if (frame % sizeof(std::uint64_t) != 0) {
      trace.end = fmt::format("frame pointer {:#x} is not aligned", frame);
      return trace;
    }
    const auto record = view.read_object<std::array<std::uint64_t, 2>>(GuestVirtAddr(frame));
    if (!record) {
      trace.end = fmt::format("frame pointer {:#x} is not mapped", frame);
      return trace;
    }
    const auto [caller_frame, return_address] = *record;
    if (return_address == 0) {
      break;
    }
    trace.frames.push_back({StackFrame::Kind::kCaller, GuestVirtAddr(return_address)});
    if (caller_frame != 0 && caller_frame <= frame) {
      trace.end = fmt::format("frame pointer {:#x} does not go up from {:#x}", caller_frame, frame);
      return trace;
    }
    frame = caller_frame;
  }
  trace.end = "outermost frame";
  return trace;
}

}  // namespace nestling::aarch64
