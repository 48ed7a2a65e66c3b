// Device: what a bus hands register accesses to; sees offsets into itself, never the machine.
#pragma once

#include <cstdint>
#include <optional>

#include "base/check.h"

namespace nestling {

/// How many bytes one register access moves: 1 to 8, powers of two but for pieces of an access that
/// was split.
class AccessWidth {
 public:
  /// Nothing unless 1 <= bytes <= 8.
  [[nodiscard]] static constexpr std::optional<AccessWidth> make(std::uint64_t bytes) {
    if (bytes < 1 || bytes > 8) {
      return std::nullopt;
    }
    return AccessWidth(static_cast<std::uint8_t>(bytes));
  }
  [[nodiscard]] static constexpr AccessWidth of(std::uint64_t bytes) {
    const std::optional<AccessWidth> width = make(bytes);
    check(width.has_value(), "width of an access");
    return *width;
  }

  [[nodiscard]] constexpr std::uint8_t bytes() const { return bytes_; }
  /// What a read of this width gives when nobody answers: all ones.
  [[nodiscard]] constexpr std::uint64_t all_ones() const { return ~0ULL >> (64 - 8 * bytes_); }

  friend constexpr bool operator==(AccessWidth, AccessWidth) = default;

 private:
  constexpr explicit AccessWidth(std::uint8_t bytes) : bytes_(bytes) {}

  std::uint8_t bytes_;
};

/// A device with registers. Any vCPU thread may call it at any time: a device with state locks
/// itself. Nothing a guest writes may be fatal to the VMM.
class Device {
 public:
  virtual ~Device() = default;

  /// The register at `offset` bytes from where the device is attached, zero-extended. The access
  /// lies inside the range the device was attached with.
  [[nodiscard]] virtual std::uint64_t read(std::uint64_t offset, AccessWidth width) = 0;

  /// `value` has no bits above `width`.
  virtual void write(std::uint64_t offset, AccessWidth width, std::uint64_t value) = 0;
};

/// A device whose registers are single bytes: wider accesses are made byte by byte, lowest first,
/// as an 8-bit device on a PC's bus sees them.
class ByteDevice : public Device {
 public:
  [[nodiscard]] std::uint64_t read(std::uint64_t offset, AccessWidth width) final {
    std::uint64_t value = 0;
    for (unsigned i = 0; i < width.bytes(); ++i) {
      value |= std::uint64_t{read_byte(offset + i)} << (8 * i);
    }
    return value;
  }
  void write(std::uint64_t offset, AccessWidth width, std::uint64_t value) final {
    for (unsigned i = 0; i < width.bytes(); ++i) {
      write_byte(offset + i, static_cast<std::uint8_t>(value >> (8 * i)));
    }
  }

 protected:
  [[nodiscard]] virtual std::uint8_t read_byte(std::uint64_t offset) = 0;
  virtual void write_byte(std::uint64_t offset, std::uint8_t value) = 0;
};

}  // namespace nestling
