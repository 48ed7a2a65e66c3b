// RoomListener: how a device that receives bytes tells whoever sends them to go on.
#pragma once

namespace nestling {

/// The sending side of a full device. Typically wakes the thread that reads the console's input.
class RoomListener {
 public:
  virtual ~RoomListener() = default;

  /// The device has room again after it took fewer bytes than it was offered. Called by vCPU
  /// threads, without any lock of the device held; should be short.
  virtual void has_room() = 0;
};

}  // namespace nestling
