// What the transcriptions of the manuals' walks share: their answers, and bits as manuals write
// them.
#pragma once

#include <cstdint>

#include "tests/support/guest_walk_oracle.h"

namespace nestling::oracle {

using u64 = std::uint64_t;

inline Answer translated(u64 address, u64 page_size) {
  return {Answer::Kind::kTranslated, address, page_size, 0};
}
inline Answer fault(u64 code) { return {Answer::Kind::kFault, 0, 0, code}; }
inline Answer no_memory(u64 address) { return {Answer::Kind::kNoMemory, address, 0, 0}; }

inline bool bit(u64 value, int number) { return (value >> number & 1) != 0; }
inline u64 flag(bool value, int number) { return (value ? u64{1} : u64{0}) << number; }
/// value<high:low>
inline u64 slice(u64 value, int high, int low) {
  return value >> low & (high - low == 63 ? ~u64{0} : (u64{1} << (high - low + 1)) - 1);
}

}  // namespace nestling::oracle
