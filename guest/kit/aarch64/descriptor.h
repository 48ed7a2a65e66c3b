// Bits of a stage-1 descriptor (Arm ARM, "VMSAv8-64 translation table descriptors").
#pragma once

#include <cstdint>

#include "guest/kit/own_tables.h"

namespace nestling::guest::aarch64 {

inline constexpr std::uint64_t kValid = 1U << 0;
inline constexpr std::uint64_t kTableOrPage = 1U << 1;  // else a block

/// What makes a page or block one of these rights, valid, but for kTableOrPage and its address.
[[nodiscard]] inline std::uint64_t bits_of(PageRights rights) {
  // Attribute 1 of MAIR, see start.S; 0 is a device.
  constexpr std::uint64_t kNormalMemory = 1U << 2;
  constexpr std::uint64_t kUserAccess = 1U << 6;
  constexpr std::uint64_t kReadOnly = 1U << 7;
  constexpr std::uint64_t kInnerShareable = 3U << 8;
  constexpr std::uint64_t kAccessed = 1U << 10;
  constexpr std::uint64_t kNoKernelExecution = 1ULL << 53;
  constexpr std::uint64_t kNoUserExecution = 1ULL << 54;
  std::uint64_t bits = kValid | kAccessed;
  bits |= has(rights, PageRights::kDevice) ? 0 : kNormalMemory | kInnerShareable;
  bits |= has(rights, PageRights::kWrite) ? 0 : kReadOnly;
  bits |= has(rights, PageRights::kUser) ? kUserAccess : kNoUserExecution;
  bits |= has(rights, PageRights::kExecute) ? 0 : kNoKernelExecution | kNoUserExecution;
  return bits;
}

}  // namespace nestling::guest::aarch64
