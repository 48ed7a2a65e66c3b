// Access: which of read, write and execute a mapping allows or a memory access asks for.
#pragma once

#include <cstdint>

namespace nestling {

/// A set of rights. Any combination is a value; which ones hardware can express is for the entry
/// formats to say.
class Access {
 public:
  constexpr Access() = default;

  [[nodiscard]] static constexpr Access none() { return Access(0); }
  [[nodiscard]] static constexpr Access read() { return Access(1); }
  [[nodiscard]] static constexpr Access write() { return Access(2); }
  [[nodiscard]] static constexpr Access execute() { return Access(4); }
  [[nodiscard]] static constexpr Access read_write() { return read() | write(); }
  [[nodiscard]] static constexpr Access all() { return read() | write() | execute(); }

  [[nodiscard]] constexpr Access operator|(Access other) const {
    return Access(static_cast<std::uint8_t>(bits_ | other.bits_));
  }
  [[nodiscard]] constexpr Access operator&(Access other) const {
    return Access(static_cast<std::uint8_t>(bits_ & other.bits_));
  }
  /// The rights of this set that `taken` does not have.
  [[nodiscard]] constexpr Access without(Access taken) const {
    return Access(static_cast<std::uint8_t>(bits_ & ~taken.bits_));
  }
  /// True when every right of `wanted` is in this set.
  [[nodiscard]] constexpr bool allows(Access wanted) const { return (*this & wanted) == wanted; }
  [[nodiscard]] constexpr bool is_empty() const { return bits_ == 0; }

  friend constexpr bool operator==(Access, Access) = default;

 private:
  constexpr explicit Access(std::uint8_t bits) : bits_(bits) {}

  std::uint8_t bits_ = 0;
};

}  // namespace nestling
