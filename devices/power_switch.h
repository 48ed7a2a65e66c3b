// PowerSwitch: how a device tells the machine that the guest wants to end, restart or give up.
#pragma once

#include <cstdint>
#include <string_view>

namespace nestling {

/// The machine's side of every exit, reset and panic device. Any thread may call it; the first call
/// decides how the run ends, later ones change nothing. The vCPU that made the access runs no
/// further instruction.
class PowerSwitch {
 public:
  virtual ~PowerSwitch() = default;

  /// The guest ends with `status`, any value.
  virtual void guest_exit(std::uint64_t status) = 0;
  /// The guest asks for a reset; `how` names the device and what was written to it.
  virtual void reset(std::string_view how) = 0;
  /// The guest reports that it crashed; `what` says in which words.
  virtual void panic(std::string_view what) = 0;
  /// The guest met an exception and has no handler for any; `what` names it. As bad as a triple
  /// fault.
  virtual void unhandled_exception(std::string_view what) = 0;
};

}  // namespace nestling
