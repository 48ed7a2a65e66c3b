// GuestMemory: the one door through which loaders and devices reach the guest's bytes.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "addrspace/access.h"
#include "addrspace/range.h"
#include "base/result.h"

namespace nestling {

/// Why an access to guest memory cannot be made, and the first address at which.
struct MemoryFault {
  enum class Reason : std::uint8_t {
    kUnmapped,      ///< no memory there
    kDenied,        ///< memory, but not with the access asked for
    kNotPopulated,  ///< an area without a frame there, and none was to be made
    kOutOfMemory,   ///< an area without a frame there, and the host has none to give
    kMisaligned,    ///< an atomic access that is not aligned to its size
  };

  Reason reason = Reason::kUnmapped;
  GuestPhysAddr address;

  friend bool operator==(const MemoryFault&, const MemoryFault&) = default;
};

/// "no guest memory at 0x1000" or the like.
[[nodiscard]] std::string describe(const MemoryFault& fault);

/// Host spans over guest bytes, in order. The common few live in the object itself.
class SpanList {
 public:
  /// Appends; merged with the last span where it adjoins in the host.
  void append(std::span<std::byte> bytes);

  [[nodiscard]] std::span<const std::span<std::byte>> spans() const {
    return overflow_.empty() ? std::span<const std::span<std::byte>>(inline_.data(), count_)
                             : std::span<const std::span<std::byte>>(overflow_);
  }

 private:
  static constexpr std::size_t kInline = 4;

  std::array<std::span<std::byte>, kInline> inline_{};
  std::size_t count_ = 0;
  std::vector<std::span<std::byte>> overflow_;
};

/// Guest-physical memory as devices and loaders see it. Every access may be unaligned and may
/// cross pages and areas, is checked first, and is then made whole or not at all. Any thread may
/// call it. The guest can change the bytes at any moment: copy once, then validate the copy.
class GuestMemory {
 public:
  virtual ~GuestMemory() = default;

  /// The host bytes behind `range`, for an access of the kind `access`. Valid while the VM lives.
  /// Fails, with the first address at fault, when any byte is missing or refuses that access.
  [[nodiscard]] virtual Result<SpanList, MemoryFault> spans(GuestPhysRange range,
                                                            Access access) = 0;

  /// Copies out.size() bytes from `start`.
  [[nodiscard]] Result<void, MemoryFault> read(GuestPhysAddr start, std::span<std::byte> out);
  /// Copies all of `bytes` to `start`.
  [[nodiscard]] Result<void, MemoryFault> write(GuestPhysAddr start,
                                                std::span<const std::byte> bytes);
  /// Sets every byte of `range` to zero.
  [[nodiscard]] Result<void, MemoryFault> zero(GuestPhysRange range);

  /// One object in the guest's byte order, which is the host's on every architecture we support.
  template <typename T>
  requires std::is_trivially_copyable_v<T>
  [[nodiscard]] Result<T, MemoryFault> read_object(GuestPhysAddr start) {
    T object{};
    const auto done = read(start, std::as_writable_bytes(std::span(&object, 1)));
    if (!done) {
      return failure(done.error());
    }
    return object;
  }
  template <typename T>
  requires std::is_trivially_copyable_v<T>
  [[nodiscard]] Result<void, MemoryFault> write_object(GuestPhysAddr start, const T& object) {
    return write(start, std::as_bytes(std::span(&object, 1)));
  }
};

}  // namespace nestling
