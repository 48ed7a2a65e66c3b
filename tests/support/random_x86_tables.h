// Random x86 page tables that go deep: most entries present, most addresses in memory.
#pragma once

#include <cstdint>
#include <cstring>
#include <random>
#include <span>

#include "addrspace/x86_64/stage1_format.h"

namespace nestling::x86_64 {

using Random = std::mt19937_64;

/// True once in `n`.
[[nodiscard]] inline bool one_in(Random& random, std::uint64_t n) { return random() % n == 0; }

/// An entry of up to 64 bits: a page below `memory_size` most of the time, any flags.
[[nodiscard]] inline std::uint64_t random_entry(Random& random, std::uint64_t memory_size) {
  std::uint64_t entry = random() % memory_size & ~0xfffULL;
  entry |= random() & 0xf7e;                        // any flag below the address but P and PS
  entry |= one_in(random, 12) ? 0U : 1U;            // P
  entry |= one_in(random, 4) ? 0U : 6U;             // W and U
  entry |= one_in(random, 6) ? 1U << 7 : 0U;        // PS
  if ((entry & 0x80) != 0 && !one_in(random, 4)) {  // pages aligned as they must be
    entry &= one_in(random, 2) ? ~0x1f'e000ULL : ~0x3fff'e000ULL;
  }
  if (one_in(random, 6)) {  // bits ignored above the address, keys
    entry |= (random() & 0x7ff) << 52;
  }
  entry |= one_in(random, 8) ? 1ULL << 63 : 0;
  if (one_in(random, 20)) {
    entry |= 1ULL << (random() % 64);
  }
  if (one_in(random, 8)) {  // an address beyond memory
    entry |= (random() & 0x3ff) << 22;
  }
  // AMD reserves bit 8 on top; keep it rare enough for walks to get deep.
  return one_in(random, 6) ? entry : entry & ~(1ULL << 8);
}

/// Fills `memory` with entries of `mode`'s size that point below `address_limit` for the most part.
inline void fill_with_entries(Random& random, PagingMode mode, std::span<std::byte> memory,
                              std::uint64_t address_limit) {
  const std::size_t size = stage1::entry_size(mode);
  for (std::size_t offset = 0; offset < memory.size(); offset += size) {
    const std::uint64_t entry = random_entry(random, address_limit);
    std::memcpy(&memory[offset], &entry, size);
  }
}

/// Registers that select `mode`, every other bit that matters chosen at random from `cr4_features`.
[[nodiscard]] inline PagingState random_state(Random& random, PagingMode mode,
                                              std::uint64_t cr4_features,
                                              const PagingFeatures& features) {
  PagingState state;
  state.features = features;
  state.cr0 = 0x11 | (mode == PagingMode::kOff ? 0 : kCr0Paging) |
              (one_in(random, 2) ? kCr0WriteProtect : 0);
  const bool long_mode = mode == PagingMode::k4Level || mode == PagingMode::k5Level;
  state.efer = (long_mode ? kEferLongMode : 0) | (one_in(random, 3) ? 0 : kEferNoExecute);
  state.cr4 = random() & cr4_features & (kCr4Smep | kCr4Smap | kCr4Pse);
  state.cr4 |= long_mode || mode == PagingMode::kPae ? kCr4Pae : 0;
  state.cr4 |= mode == PagingMode::k5Level ? kCr4FiveLevels : 0;
  state.alignment_check = one_in(random, 2);
  return state;
}

/// An address of the mode.
[[nodiscard]] inline GuestVirtAddr random_address(Random& random, PagingMode mode) {
  const std::uint64_t raw = random();
  switch (mode) {
    case PagingMode::k4Level:
      return GuestVirtAddr(static_cast<std::uint64_t>(static_cast<std::int64_t>(raw << 16) >> 16));
    case PagingMode::k5Level:
      return GuestVirtAddr(static_cast<std::uint64_t>(static_cast<std::int64_t>(raw << 7) >> 7));
    default:
      return GuestVirtAddr(raw & 0xffff'ffff);
  }
}

}  // namespace nestling::x86_64
