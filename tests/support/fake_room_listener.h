// FakeRoomListener: counts how often a device said that it has room again.
#pragma once

#include <atomic>

#include "devices/room_listener.h"

namespace nestling {

class FakeRoomListener final : public RoomListener {
 public:
  void has_room() override { ++count_; }
  [[nodiscard]] int count() const { return count_; }

 private:
  std::atomic<int> count_ = 0;
};

}  // namespace nestling
