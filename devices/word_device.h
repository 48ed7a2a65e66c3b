// WordDevice: a device whose registers are 32-bit words, as Arm's PrimeCells have them.
#pragma once

#include <cstdint>

#include "devices/device.h"

namespace nestling {

/// An access that begins where a register does meets that register, or its low bytes; one of 8
/// bytes the next register, too. Anything else reads zero and writes nothing.
class WordDevice : public Device {
 public:
  static constexpr std::uint64_t kWordSize = 4;

  [[nodiscard]] std::uint64_t read(std::uint64_t offset, AccessWidth width) final {
    std::uint64_t value = 0;
    for (std::uint64_t at = 0; offset % kWordSize == 0 && at < width.bytes(); at += kWordSize) {
      value |= std::uint64_t{read_word(offset + at)} << (8 * at);
    }
    return value & width.all_ones();
  }
  void write(std::uint64_t offset, AccessWidth width, std::uint64_t value) final {
    for (std::uint64_t at = 0; offset % kWordSize == 0 && at < width.bytes(); at += kWordSize) {
      write_word(offset + at, static_cast<std::uint32_t>(value >> (8 * at)));
    }
  }

 protected:
  /// `offset` is a multiple of 4, and may be just behind the attached range.
  [[nodiscard]] virtual std::uint32_t read_word(std::uint64_t offset) = 0;
  virtual void write_word(std::uint64_t offset, std::uint32_t value) = 0;
};

}  // namespace nestling
