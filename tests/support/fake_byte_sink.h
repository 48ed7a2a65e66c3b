// FakeByteSink: keeps what was written to it, as text.
#pragma once

#include <cstddef>
#include <mutex>
#include <span>
#include <string>

#include "devices/byte_sink.h"

namespace nestling {

class FakeByteSink final : public ByteSink {
 public:
  void write(std::span<const std::byte> bytes) override {
    const std::lock_guard lock(mutex_);
    for (const std::byte byte : bytes) {
      text_.push_back(static_cast<char>(byte));
    }
  }

  [[nodiscard]] std::string text() const {
    const std::lock_guard lock(mutex_);
    return text_;
  }

 private:
  mutable std::mutex mutex_;
  std::string text_;
};

}  // namespace nestling
