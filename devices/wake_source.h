// WakeSource: the question the hang detector asks each device while every vCPU waits.
#pragma once

namespace nestling {

/// Something that can raise an interrupt on its own. A machine all of whose vCPUs wait for an
/// interrupt hangs for ever exactly when no WakeSource answers true.
class WakeSource {
 public:
  virtual ~WakeSource() = default;

  /// True when an interrupt of this source, not raised yet, can come without any vCPU executing
  /// another instruction. Any thread may call it.
  [[nodiscard]] virtual bool may_interrupt() const = 0;
};

}  // namespace nestling
