// DebugConsole: the one-port console of Bochs and QEMU; whatever is written appears.
#pragma once

#include <cstdint>

#include "devices/byte_sink.h"
#include "devices/device.h"

namespace nestling {

/// Needs no setting up, which makes it the first console of a new kernel. Reads give 0xe9: that is
/// how a guest finds out whether it is there. Any thread may call it.
class DebugConsole final : public ByteDevice {
 public:
  /// What a read gives, and the port it conventionally has.
  static constexpr std::uint8_t kSignature = 0xe9;

  /// `output` must outlive the console.
  explicit DebugConsole(ByteSink& output) : output_(output) {}

 protected:
  [[nodiscard]] std::uint8_t read_byte(std::uint64_t offset) override;
  void write_byte(std::uint64_t offset, std::uint8_t value) override;

 private:
  ByteSink& output_;
};

}  // namespace nestling
