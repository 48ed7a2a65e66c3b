// FaultTrace: puts the faults of guest memory into the exit trace, on the track of who served them.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <utility>

#include "vmm/exit_trace.h"
#include "vmm/memory/memory_event.h"

namespace nestling {

/// A fault that a vCPU's own thread serves stands inside that vCPU's exit; others were served by
/// the pager. Any thread may tell.
class FaultTrace final : public MemoryEventSink {
 public:
  /// True on the thread of that vCPU.
  using IsOwnThread = std::function<bool(std::uint32_t vcpu)>;

  /// `trace` must outlive this.
  FaultTrace(ExitTrace& trace, IsOwnThread is_own_thread)
      : trace_(trace), is_own_thread_(std::move(is_own_thread)) {}

  /// From now on faults are traced, with times that count from `start`. Before the first vCPU runs.
  void begin(std::chrono::steady_clock::time_point start) {
    start_ = start;
    is_begun_ = true;
  }

  void tell(const MemoryEvent& event) override {
    if (event.kind != MemoryEvent::Kind::kFault || !is_begun_) {
      return;
    }
    FaultMark mark{
        .time = std::chrono::steady_clock::now() - start_, .vcpu = std::nullopt, .event = event};
    if (event.actor.kind == Actor::Kind::kVcpu && is_own_thread_(event.actor.index)) {
      mark.vcpu = event.actor.index;
    }
    trace_.record(mark);
  }

 private:
  ExitTrace& trace_;
  IsOwnThread is_own_thread_;
  std::chrono::steady_clock::time_point start_;
  bool is_begun_ = false;
};

}  // namespace nestling
