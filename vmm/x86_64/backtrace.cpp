// Following saved frame pointers that nobody vouches for.
#include "vmm/x86_64/backtrace.h"

#include <array>
#include <cstring>
#include <optional>

#include <fmt/core.h>

namespace nestling::x86_64 {

namespace {

struct Link {
  std::uint64_t caller_frame = 0;
  std::uint64_t return_address = 0;
};

std::optional<Link> read_link(GuestView& view, GuestVirtAddr frame) {
  if (view.code_size() == CodeSize::k64) {
    const auto words = view.read_object<std::array<std::uint64_t, 2>>(frame);
    return words ? std::optional(Link{(*words)[0], (*words)[1]}) : std::nullopt;
  }
  const auto words = view.read_object<std::array<std::uint32_t, 2>>(frame);
  return words ? std::optional(Link{(*words)[0], (*words)[1]}) : std::nullopt;
}

}  // namespace

Backtrace backtrace(GuestView& view, std::size_t max_frames) {
  Backtrace trace;
  trace.frames.push_back({StackFrame::Kind::kCurrent, view.instruction()});
  if (view.code_size() == CodeSize::k16) {
    trace.end = "16-bit code keeps no chain of frames";
    return trace;
  }
  const bool is_64 = view.code_size() == CodeSize::k64;
  std::uint64_t frame = is_64 ? view.cpu().rbp : view.cpu().rbp & 0xffff'ffff;
  while (frame != 0) {
    if (trace.frames.size() >= max_frames) {
      trace.end = fmt::format("cut after {} frames", max_frames);
      return trace;
    }
    if (frame % (is_64 ? 8 : 4) != 0) {
      trace.end = fmt::format("frame pointer {:#x} is not aligned", frame);
      return trace;
    }
    const std::optional<Link> link = read_link(view, GuestVirtAddr(frame));
    if (!link) {
      trace.end = fmt::format("frame pointer {:#x} is not mapped", frame);
      return trace;
    }
    if (link->return_address == 0) {
      break;
    }
    trace.frames.push_back({StackFrame::Kind::kCaller, GuestVirtAddr(link->return_address)});
    if (link->caller_frame != 0 && link->caller_frame <= frame) {
      trace.end =
          fmt::format("frame pointer {:#x} does not go up from {:#x}", link->caller_frame, frame);
      return trace;
    }
    frame = link->caller_frame;
  }
  trace.end = "outermost frame";
  return trace;
}

}  // namespace nestling::x86_64
