// MemoryEventTee: tells several of what happens to guest memory.
#pragma once

#include <vector>

#include "vmm/memory/memory_event.h"

namespace nestling {

class MemoryEventTee final : public MemoryEventSink {
 public:
  /// Before anything is told. `sink` must outlive this.
  void add(MemoryEventSink& sink) { sinks_.push_back(&sink); }
  /// For who is to be told only when somebody listens: null when nobody does.
  [[nodiscard]] MemoryEventSink* or_null() { return sinks_.empty() ? nullptr : this; }

  void tell(const MemoryEvent& event) override {
    for (MemoryEventSink* const sink : sinks_) {
      sink->tell(event);
    }
  }
  void tell_port(const PortEvent& event) override {
    for (MemoryEventSink* const sink : sinks_) {
      sink->tell_port(event);
    }
  }

 private:
  std::vector<MemoryEventSink*> sinks_;
};

}  // namespace nestling
