// Single atomic loads and stores of guest memory: for indices a guest and a device share.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "addrspace/guest_memory.h"

namespace nestling {

/// What can be shared with a guest CPU without tearing.
template <typename T>
concept GuestAtomic = std::is_integral_v<T> &&
    (sizeof(T) == 1 || sizeof(T) == 2 || sizeof(T) == 4 || sizeof(T) == 8);

/// The host byte at `start` for an atomic access of `size` bytes (1, 2, 4 or 8). Fails as
/// GuestMemory::spans(), and with kMisaligned unless `start` is a multiple of `size`.
[[nodiscard]] Result<std::byte*, MemoryFault> atomic_place(GuestMemory& memory, GuestPhysAddr start,
                                                           std::size_t size, Access access);

/// One load, behind which everything is seen that the guest wrote before it stored what is loaded.
template <GuestAtomic T>
[[nodiscard]] Result<T, MemoryFault> load_acquire(GuestMemory& memory, GuestPhysAddr start) {
  const auto place = atomic_place(memory, start, sizeof(T), Access::read());
  if (!place) {
    return failure(place.error());
  }
  return __atomic_load_n(reinterpret_cast<const T*>(*place), __ATOMIC_ACQUIRE);
}

/// One store; a guest that sees it sees everything the caller wrote before.
template <GuestAtomic T>
[[nodiscard]] Result<void, MemoryFault> store_release(GuestMemory& memory, GuestPhysAddr start,
                                                      std::type_identity_t<T> value) {
  const auto place = atomic_place(memory, start, sizeof(T), Access::write());
  if (!place) {
    return failure(place.error());
  }
  __atomic_store_n(reinterpret_cast<T*>(*place), value, __ATOMIC_RELEASE);
  return {};
}

}  // namespace nestling
