// Addresses that cannot be mixed up: one type for each space an address can live in.
#pragma once

#include <compare>
#include <concepts>
#include <cstdint>
#include <optional>

#include "base/check.h"
#include "base/checked.h"

namespace nestling {

/// Bytes in the smallest page of every architecture we know: the unit of every stage-2 mapping.
inline constexpr std::uint64_t kPageSize = 4096;

/// True for 1, 2, 4, 8 …
[[nodiscard]] constexpr bool is_power_of_two(std::uint64_t value) {
  return value != 0 && (value & (value - 1)) == 0;
}

/// A byte address in the space that `Space` names. `Space::Raw` is the integer behind it.
/// Arithmetic that can wrap is checked: the operators abort (for our own numbers), the functions
/// that return optional are for numbers a guest chose.
template <typename Space>
class Address {
 public:
  using Raw = typename Space::Raw;

  constexpr Address() = default;
  constexpr explicit Address(Raw value) : value_(value) {}

  [[nodiscard]] constexpr Raw value() const { return value_; }

  // NOLINTNEXTLINE(modernize-use-nullptr): clang-tidy 14 takes the generated 0 for a pointer.
  friend constexpr auto operator<=>(Address, Address) = default;

  /// This address plus `bytes`, or nothing when that leaves the space's integer.
  [[nodiscard]] constexpr std::optional<Address> plus(Raw bytes) const {
    const std::optional<Raw> sum = checked_add<Raw>(value_, bytes);
    return sum ? std::optional<Address>(Address(*sum)) : std::nullopt;
  }

  /// This address plus `bytes`, which must not wrap.
  [[nodiscard]] constexpr Address operator+(Raw bytes) const {
    const std::optional<Address> sum = plus(bytes);
    check(sum.has_value(), "address arithmetic wrapped");
    return *sum;
  }

  /// Bytes from `origin`, which must not be above this address, to here.
  [[nodiscard]] constexpr Raw offset_from(Address origin) const {
    check(origin <= *this, "offset from a higher address");
    return static_cast<Raw>(value_ - origin.value_);
  }

  /// `alignment` is a power of two, in bytes.
  [[nodiscard]] constexpr bool is_aligned(Raw alignment) const {
    return (value_ & (alignment - 1)) == 0;
  }
  [[nodiscard]] constexpr Address aligned_down(Raw alignment) const {
    return Address(static_cast<Raw>(value_ & ~(alignment - 1)));
  }
  /// The next multiple of `alignment` at or above this address, or nothing when that wraps.
  [[nodiscard]] constexpr std::optional<Address> aligned_up(Raw alignment) const {
    const std::optional<Address> sum = plus(static_cast<Raw>(alignment - 1));
    return sum ? std::optional<Address>(sum->aligned_down(alignment)) : std::nullopt;
  }

 private:
  Raw value_ = 0;
};

struct GuestPhysSpace {
  using Raw = std::uint64_t;
};
struct GuestVirtSpace {
  using Raw = std::uint64_t;
};
struct HostPhysSpace {
  using Raw = std::uint64_t;
};
struct PortSpace {
  using Raw = std::uint16_t;
};

/// What the guest's page tables translate to.
using GuestPhysAddr = Address<GuestPhysSpace>;
/// What the guest's instructions use.
using GuestVirtAddr = Address<GuestVirtSpace>;
/// A byte offset in the VM's RAM pool, which stands for the host's physical memory in ring 3.
using HostPhysAddr = Address<HostPhysSpace>;
/// An x86 I/O port.
using Port = Address<PortSpace>;

static_assert(!std::convertible_to<GuestVirtAddr, GuestPhysAddr>);
static_assert(!std::convertible_to<std::uint64_t, GuestPhysAddr>);
static_assert(!std::convertible_to<GuestPhysAddr, std::uint64_t>);

}  // namespace nestling
