// Random AArch64 and RISC-V page tables that go deep, and registers to walk them with.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "addrspace/aarch64/stage1_format.h"
#include "addrspace/riscv64/stage1_format.h"
#include "tests/support/random_x86_tables.h"

namespace nestling {

using x86_64::one_in;
using x86_64::Random;

template <typename Choices>
[[nodiscard]] auto pick(Random& random, const Choices& choices) {
  return choices.at(random() % choices.size());
}

/// Fills `memory` with whatever `entry` returns.
template <typename Entry>
void fill_with(std::span<std::byte> memory, const Entry& entry) {
  for (std::size_t offset = 0; offset < memory.size(); offset += sizeof(std::uint64_t)) {
    const std::uint64_t value = entry();
    std::memcpy(&memory[offset], &value, sizeof value);
  }
}

namespace aarch64 {

/// A descriptor: a table or page most of the time, aligned to 64 KiB, in memory.
[[nodiscard]] inline std::uint64_t random_descriptor(Random& random, std::uint64_t memory_size) {
  std::uint64_t entry = random() % memory_size & ~0xffffULL;
  entry |= one_in(random, 12) ? random() & 3 : one_in(random, 4) ? 1U : 3U;
  entry |= one_in(random, 10) ? 0U : 1U << 10;                // AF
  entry |= random() & (3U << 6);                              // AP
  entry |= one_in(random, 4) ? random() & (7ULL << 51) : 0U;  // DBM, contiguous, PXN
  entry |= one_in(random, 4) ? 1ULL << 54 : 0U;               // UXN
  entry |= one_in(random, 8) ? random() & (0xfULL << 59) : 0U;
  entry |= one_in(random, 8) ? random() & 0xfb7c : 0U;  // 52-bit addresses, attributes
  entry |= one_in(random, 8) ? random() & 0xfff'ffff'f000 : 0U;
  entry ^= one_in(random, 30) ? 1ULL << (random() % 64) : 0U;
  return entry;
}

[[nodiscard]] inline TranslationState random_state(Random& random, std::uint64_t memory_size) {
  constexpr std::array<std::uint8_t, 5> kWidths{36, 40, 44, 48, 52};
  constexpr std::array<std::uint64_t, 8> kSizes{16, 16, 20, 25, 28, 32, 34, 39};
  TranslationState state;
  state.features.physical_address_bits = pick(random, kWidths);
  state.features.lva = one_in(random, 2);
  state.features.lpa2 = one_in(random, 2);
  state.features.small_tables = one_in(random, 2);
  state.features.hardware_flags = one_in(random, 2);
  state.pan = one_in(random, 4);
  state.sctlr = (one_in(random, 50) ? 0U : 1U) | (one_in(random, 4) ? kSctlrWxn : 0U) |
                (one_in(random, 2) ? kSctlrEpan : 0U) | (one_in(random, 80) ? kSctlrBigEndian : 0U);
  const auto size = [&] { return one_in(random, 8) ? random() % 64 : pick(random, kSizes); };
  state.tcr = size() | size() << 16;
  state.tcr |= random() & (3ULL << 14 | 3ULL << 30);                           // granules
  state.tcr |= (one_in(random, 4) ? random() % 8 : 4 + random() % 3) << 32;    // IPS
  state.tcr |= random() & (3ULL << 37 | 3ULL << 39 | kTcrDescriptor52);        // TBI, HA, HD
  state.tcr |= one_in(random, 3) ? random() & (3ULL << 41 | 3ULL << 51) : 0U;  // HPD, TBID
  state.tcr |= one_in(random, 10) ? random() & (3ULL << 55 | 1U << 7 | 1U << 23) : 0U;
  state.ttbr0 = random() % memory_size & ~(one_in(random, 2) ? 0xffffULL : 0xfULL);
  state.ttbr1 = (random() % memory_size & ~0xffffULL) | (one_in(random, 8) ? random() & 0x3f : 0U);
  state.ttbr1 |= one_in(random, 20) ? random() << 40 : 0U;
  return state;
}

/// An address of either half most of the time.
[[nodiscard]] inline GuestVirtAddr random_address(Random& random, const TranslationState& state) {
  const bool upper = one_in(random, 2);
  const std::uint64_t size = stage1::field(state.tcr, upper ? 16 : 0, 6);
  std::uint64_t address = size == 0 ? random() : random() >> size;
  if (upper) {
    address |= size == 0 ? 0U : ~(~0ULL >> size);
  }
  if (one_in(random, 8)) {
    address ^= random() & (0xffULL << 56);
  }
  if (one_in(random, 30)) {
    address ^= 1ULL << (random() % 64);
  }
  return GuestVirtAddr(address);
}

}  // namespace aarch64

namespace riscv64 {

/// An entry: a pointer or a leaf in memory most of the time.
[[nodiscard]] inline std::uint64_t random_entry(Random& random, std::uint64_t memory_size) {
  std::uint64_t entry = (random() % memory_size & ~0xfffULL) >> 2;
  entry |= one_in(random, 12) ? 0U : 1U;
  if (one_in(random, 3)) {  // a leaf
    entry |= random() & 0x3e;
    entry |= one_in(random, 5) ? random() & 0xc0 : 0xc0;
    entry &= one_in(random, 2) ? ~(0x1ffULL << 10) : ~(0x3'ffffULL << 10);
    if (one_in(random, 6)) {
      entry |= (one_in(random, 3) ? random() % 16 : 8) << 10 | 1ULL << 63;
    }
    entry |= one_in(random, 6) ? random() & (3ULL << 61) : 0U;
    entry |= one_in(random, 6) ? random() & (0x7ff'ffffULL << 27) : 0U;
  }
  entry |= random() & (7U << 8 | 1U << 5);
  entry ^= one_in(random, 30) ? 1ULL << (random() % 64) : 0U;
  return entry;
}

[[nodiscard]] inline TranslationState random_state(Random& random, std::uint64_t memory_size) {
  constexpr std::array<std::uint64_t, 3> kModes{8, 9, 10};
  TranslationState state;
  state.features.svnapot = one_in(random, 2);
  state.features.svpbmt = one_in(random, 2);
  state.features.hardware_flags = one_in(random, 2);
  state.satp = (one_in(random, 20) ? random() % 16 : pick(random, kModes)) << 60;
  state.satp |= (random() & 0xffff) << 44 | (random() % memory_size) >> 12;
  state.sstatus = random() & (kStatusSum | kStatusMxr);
  return state;
}

[[nodiscard]] inline GuestVirtAddr random_address(Random& random, const TranslationState& state) {
  const std::uint64_t mode = state.satp >> 60;
  const unsigned width = mode == 9 ? 48 : mode == 10 ? 57 : 39;
  const std::uint64_t raw = random() << (64 - width);
  const auto address = static_cast<std::uint64_t>(static_cast<std::int64_t>(raw) >> (64 - width));
  return GuestVirtAddr(one_in(random, 30) ? address ^ 1ULL << (random() % 64) : address);
}

}  // namespace riscv64

}  // namespace nestling
