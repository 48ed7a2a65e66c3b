// ByteSink: where a console device sends what the guest writes.
#pragma once

#include <cstddef>
#include <span>

namespace nestling {

/// Takes bytes in order. Any thread may call it; never blocks for long, never fails: what cannot be
/// delivered is the sink's problem, and the sink's to report.
class ByteSink {
 public:
  virtual ~ByteSink() = default;
  virtual void write(std::span<const std::byte> bytes) = 0;
};

}  // namespace nestling
