// What lies at a guest-physical address: memory and device registers below 4 GiB are mapped where
// they are when a kernel starts.
#pragma once

#include <cstdint>

namespace nestling::guest {

/// The T at `address`; `volatile` is part of T for a device's register.
template <typename T>
[[nodiscard]] T* at_address(std::uint64_t address) {
  // NOLINTNEXTLINE(performance-no-int-to-ptr): addresses are what a kernel starts from.
  return reinterpret_cast<T*>(address);
}

/// The other way round.
[[nodiscard]] inline std::uint64_t address_of(const volatile void* object) {
  return reinterpret_cast<std::uintptr_t>(object);
}

}  // namespace nestling::guest
