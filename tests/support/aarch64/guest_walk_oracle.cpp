// The Arm ARM's pseudocode of the stage 1 walk, step by step; deliberately naive.
#include "tests/support/guest_walk_oracle.h"

#include <algorithm>
#include <array>

#include "tests/support/guest_walk_oracle_bits.h"

namespace nestling::oracle {

namespace {

/// AArch64.PhysicalAddressSize
int physical_address_size(u64 encoding) {
  constexpr std::array<int, 8> kSizes{32, 36, 40, 42, 44, 48, 52, 52};
  return kSizes.at(encoding);
}

struct ArmWalk {
  const aarch64::TranslationState& state;
  bool write = false;
  bool user = false;
  bool fetch = false;
  bool high = false;

  [[nodiscard]] bool tcr(int low_half, int high_half) const {
    return bit(state.tcr, high ? high_half : low_half);
  }
  [[nodiscard]] static Answer status(u64 base, int level) {
    if (level == -1) {
      return fault(base == 0 ? 0x29 : 0x2b);
    }
    return fault(base + static_cast<u64>(level));
  }
};

constexpr u64 kAddressSize = 0;
constexpr u64 kTranslation = 4;
constexpr u64 kAccessFlag = 8;
constexpr u64 kPermission = 12;

/// The access tables of "Direct permissions": index AP[2:1].
struct ApRow {
  bool privileged_write, user_read, user_write;
};
constexpr std::array<ApRow, 4> kApTable{{{true, false, false},    // 00
                                         {true, true, true},      // 01
                                         {false, false, false},   // 10
                                         {false, true, false}}};  // 11

/// Whether the access is allowed, by descriptor and the table attributes ap_table, uxn and pxn.
bool arm_allows(const ArmWalk& walk, u64 descriptor, bool dirty_managed, u64 ap_table,
                bool table_uxn, bool table_pxn) {
  u64 ap = slice(descriptor, 7, 6);
  if (dirty_managed) {
    ap &= 1;
  }
  ApRow row = kApTable.at(ap);
  if (bit(ap_table, 0)) {
    row.user_read = row.user_write = false;
  }
  if (bit(ap_table, 1)) {
    row.privileged_write = row.user_write = false;
  }
  const bool wxn = bit(walk.state.sctlr, 19);
  bool ux = !bit(descriptor, 54) && !table_uxn;
  bool px = !bit(descriptor, 53) && !table_pxn && !row.user_write;
  if (wxn) {
    ux = ux && !row.user_write;
    px = px && !row.privileged_write;
  }
  if (walk.user) {
    return walk.fetch ? ux : walk.write ? row.user_write : row.user_read;
  }
  if (walk.fetch) {
    return px;
  }
  const bool epan = bit(walk.state.sctlr, 57);
  if (walk.state.pan && (row.user_read || (epan && ux))) {
    return false;
  }
  return !walk.write || row.privileged_write;
}

/// The output address of a descriptor, low bits cleared below `low`.
u64 arm_output(u64 descriptor, int low, bool ds, bool lpa64k) {
  u64 address = 0;
  for (int i = low; i < (ds ? 50 : 48); ++i) {
    address |= flag(bit(descriptor, i), i);
  }
  if (ds) {
    address |= slice(descriptor, 9, 8) << 50;
  }
  if (lpa64k) {
    address |= slice(descriptor, 15, 12) << 48;
  }
  return address;
}

Answer arm_levels(const Memory& memory, const ArmWalk& walk, u64 gva, int page_bits) {
  const aarch64::TranslationState& state = walk.state;
  const int txsz = static_cast<int>(walk.high ? slice(state.tcr, 21, 16) : slice(state.tcr, 5, 0));
  const bool is64k = page_bits == 16;
  const int pamax = state.features.physical_address_bits;
  const bool ds = state.features.lpa2 && bit(state.tcr, 59) && !is64k;
  const bool lpa64k = is64k && pamax == 52;
  const int min_txsz = ds || (is64k && state.features.lva) ? 12 : 16;
  const int max_txsz = !state.features.small_tables ? 39 : is64k ? 47 : 48;
  if (txsz < min_txsz || txsz > max_txsz) {
    return ArmWalk::status(kTranslation, 0);
  }
  // AArch64.VAIsOutOfRange
  const int iasize = 64 - txsz;
  const bool tbi = walk.tcr(37, 38) && !(walk.fetch && walk.tcr(51, 52));
  for (int i = iasize; i <= (tbi ? 55 : 63); ++i) {
    if (bit(gva, i) != walk.high) {
      return ArmWalk::status(kTranslation, 0);
    }
  }
  if (walk.tcr(55, 56) && walk.user) {
    return ArmWalk::status(kTranslation, 0);
  }
  int oasize = std::min(physical_address_size(slice(state.tcr, 34, 32)), pamax);
  if (!ds && !lpa64k) {
    oasize = std::min(oasize, 48);
  }
  // The initial lookup level: the lowest that still leaves bits for an index.
  const int stride = page_bits - 3;
  int level = 3;
  int low = page_bits;
  while (low + stride < iasize) {
    --level;
    low += stride;
  }
  // The base: aligned to the table's size.
  const u64 ttbr = walk.high ? state.ttbr1 : state.ttbr0;
  int alignment = iasize - low + 3;
  u64 base = 0;
  if (ds || (lpa64k && slice(state.tcr, 34, 32) >= 6)) {
    alignment = std::max(alignment, 6);
    base = slice(ttbr, 5, 2) << 48;
  }
  base |= slice(ttbr, 47, alignment) << alignment;
  if (base >> oasize != 0) {
    return ArmWalk::status(kAddressSize, 0);
  }
  u64 ap_table = 0;
  bool table_uxn = false;
  bool table_pxn = false;
  int top = iasize - 1;
  for (;; ++level, top = low - 1, low -= stride) {
    const u64 where = base + slice(gva, top, low) * 8;
    const auto descriptor = memory(where, 8);
    if (!descriptor) {
      return no_memory(where);
    }
    const u64 type = slice(*descriptor, 1, 0);
    const bool block =
        type == 1 &&
        (level == 2 || (level == 1 && (page_bits == 12 || lpa64k || (page_bits == 14 && ds))) ||
         (level == 0 && page_bits == 12 && ds));
    if (level < 3 && type == 3) {
      base = arm_output(*descriptor, page_bits, ds, lpa64k);
      if (base >> oasize != 0) {
        return ArmWalk::status(kAddressSize, level);
      }
      if (!walk.tcr(41, 42)) {
        ap_table |= slice(*descriptor, 62, 61);
        table_uxn = table_uxn || bit(*descriptor, 60);
        table_pxn = table_pxn || bit(*descriptor, 59);
      }
      continue;
    }
    if (!block && !(level == 3 && type == 3)) {
      return ArmWalk::status(kTranslation, level);
    }
    const u64 page = arm_output(*descriptor, low, ds, lpa64k);
    if (page >> oasize != 0) {
      return ArmWalk::status(kAddressSize, level);
    }
    const bool ha = state.features.hardware_flags && bit(state.tcr, 39);
    if (!bit(*descriptor, 10) && !ha) {
      return ArmWalk::status(kAccessFlag, level);
    }
    const bool dirty_managed = ha && bit(state.tcr, 40) && bit(*descriptor, 51);
    if (!arm_allows(walk, *descriptor, dirty_managed, ap_table, table_uxn, table_pxn)) {
      return ArmWalk::status(kPermission, level);
    }
    return translated(page | slice(gva, low - 1, 0), u64{1} << low);
  }
}

}  // namespace

Answer walk(const Memory& memory, const aarch64::TranslationState& state, u64 gva,
            GuestAccess access) {
  const ArmWalk walk{state, access.kind == AccessKind::kWrite, access.privilege == Privilege::kUser,
                     access.kind == AccessKind::kExecute, bit(gva, 55)};
  const int pamax = state.features.physical_address_bits;
  if (!bit(state.sctlr, 0)) {
    const bool tbi = walk.tcr(37, 38) && !(walk.fetch && walk.tcr(51, 52));
    const u64 address = tbi ? slice(gva, 55, 0) : gva;
    return address >> pamax != 0 ? ArmWalk::status(kAddressSize, 0)
                                 : translated(address, u64{1} << pamax);
  }
  // TCR_EL1.EPDn: no walk, so that the granule does not matter.
  if (walk.tcr(7, 23)) {
    return ArmWalk::status(kTranslation, 0);
  }
  constexpr std::array<int, 4> kTg0{12, 16, 14, 0};
  constexpr std::array<int, 4> kTg1{0, 14, 12, 16};
  const int page_bits =
      walk.high ? kTg1.at(slice(state.tcr, 31, 30)) : kTg0.at(slice(state.tcr, 15, 14));
  if (page_bits == 0 || bit(state.sctlr, 25)) {
    return fault(kUnsupported);
  }
  return arm_levels(memory, walk, gva, page_bits);
}

}  // namespace nestling::oracle
