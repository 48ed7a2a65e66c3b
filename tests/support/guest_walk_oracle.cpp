// Transcriptions of the manuals' walks; deliberately naive, and sharing nothing with the library.
#include "tests/support/guest_walk_oracle.h"

#include <algorithm>
#include <array>

namespace nestling::oracle {

namespace {

using u64 = std::uint64_t;

Answer translated(u64 address, u64 page_size) {
  return {Answer::Kind::kTranslated, address, page_size, 0};
}
Answer fault(u64 code) { return {Answer::Kind::kFault, 0, 0, code}; }
Answer no_memory(u64 address) { return {Answer::Kind::kNoMemory, address, 0, 0}; }

bool bit(u64 value, int number) { return (value >> number & 1) != 0; }
u64 flag(bool value, int number) { return (value ? u64{1} : u64{0}) << number; }
/// value<high:low>
u64 slice(u64 value, int high, int low) {
  return value >> low & (high - low == 63 ? ~u64{0} : (u64{1} << (high - low + 1)) - 1);
}

// ---- x86: Intel SDM volume 3, chapter "Paging" -------------------------------------------------

/// One access on a processor, with the SDM's names.
struct X86 {
  const x86_64::PagingState& state;
  bool write = false;
  bool user = false;
  bool fetch = false;

  bool pg = bit(state.cr0, 31), wp = bit(state.cr0, 16), pse = bit(state.cr4, 4),
       pae = bit(state.cr4, 5), la57 = bit(state.cr4, 12), smep = bit(state.cr4, 20),
       smap = bit(state.cr4, 21), pke = bit(state.cr4, 22), pks = bit(state.cr4, 24),
       lme = bit(state.efer, 8), nxe = bit(state.efer, 11);
  int maxphyaddr = state.features.physical_address_bits;

  [[nodiscard]] Answer page_fault(bool p, bool rsvd, bool pk = false) const {
    const bool fetch_known = fetch && (smep || ((pae || lme) && nxe));
    return fault(flag(p, 0) | flag(write, 1) | flag(user, 2) | flag(rsvd, 3) |
                 flag(fetch_known, 4) | flag(pk, 5));
  }

  /// 4.6.1 "Determination of Access Rights" and 4.6.2 "Protection Keys".
  [[nodiscard]] Answer finish(u64 address, u64 size, bool us, bool rw, bool xd, u64 key) const {
    bool allowed = false;
    if (!user && !us) {
      allowed = fetch ? !xd : write ? (!wp || rw) : true;
    } else if (!user && us) {
      if (fetch) {
        allowed = !smep && !xd;
      } else {
        const bool smap_allows = !smap || state.alignment_check;
        allowed = smap_allows && (!write || !wp || rw);
      }
    } else {
      allowed = us && (fetch ? !xd : write ? rw : true);
    }
    bool key_denies = false;
    if (lme && !fetch && (us ? pke : pks)) {
      const std::uint32_t pkr = us ? state.pkru : state.pkrs;
      const bool ad = bit(pkr, static_cast<int>(2 * key));
      const bool wd = bit(pkr, static_cast<int>(2 * key + 1));
      key_denies = ad || (write && wd && (user || wp));
    }
    if (!allowed || key_denies) {
      return page_fault(true, false, key_denies);
    }
    return translated(address, size);
  }
};

/// "32-Bit Paging".
Answer walk32(const Memory& memory, const X86& cpu, u64 gva) {
  const u64 pde_address = (cpu.state.cr3 & 0xfffff000) + slice(gva, 31, 22) * 4;
  const auto pde = memory(pde_address, 4);
  if (!pde) {
    return no_memory(pde_address);
  }
  if (!bit(*pde, 0)) {
    return cpu.page_fault(false, false);
  }
  if (cpu.pse && bit(*pde, 7)) {
    // Bits 20:13 are address bits 39:32; those at or above the width, and bit 21, are reserved.
    const int width = std::min<int>(cpu.maxphyaddr, cpu.state.features.large_page_address_bits);
    for (int i = 13; i <= 21; ++i) {
      if (i + 19 >= width && bit(*pde, i)) {
        return cpu.page_fault(true, true);
      }
    }
    const u64 address = slice(*pde, 20, 13) << 32 | slice(*pde, 31, 22) << 22 | slice(gva, 21, 0);
    return cpu.finish(address, 4 << 20, bit(*pde, 2), bit(*pde, 1), false, 0);
  }
  const u64 pte_address = (*pde & 0xfffff000) + slice(gva, 21, 12) * 4;
  const auto pte = memory(pte_address, 4);
  if (!pte) {
    return no_memory(pte_address);
  }
  if (!bit(*pte, 0)) {
    return cpu.page_fault(false, false);
  }
  return cpu.finish((*pte & 0xfffff000) | slice(gva, 11, 0), 4096, bit(*pde, 2) && bit(*pte, 2),
                    bit(*pde, 1) && bit(*pte, 1), false, 0);
}

/// "PAE Paging", "4-Level Paging and 5-Level Paging": 64-bit entries of 9 bits each.
Answer walk64(const Memory& memory, const X86& cpu, u64 gva) {
  const bool long_mode = cpu.lme;
  int level = !long_mode ? 3 : cpu.la57 ? 5 : 4;
  u64 table = long_mode ? cpu.state.cr3 & 0x000ffffffffff000 : cpu.state.cr3 & 0xffffffe0;
  bool us = true;
  bool rw = true;
  bool xd = false;
  for (;; --level) {
    const int low = 12 + 9 * (level - 1);
    const u64 index = !long_mode && level == 3 ? slice(gva, 31, 30) : slice(gva, low + 8, low);
    const auto entry = memory(table + index * 8, 8);
    if (!entry) {
      return no_memory(table + index * 8);
    }
    if (!bit(*entry, 0)) {
      return cpu.page_fault(false, false);
    }
    if (!long_mode && level == 3) {
      for (int i = 1; i < 64; ++i) {
        const bool reserved = i <= 2 || (i >= 5 && i <= 8) || i >= cpu.maxphyaddr;
        if (reserved && bit(*entry, i)) {
          return fault(kBadTopEntry);
        }
      }
      table = *entry & 0x000ffffffffff000;
      continue;
    }
    const bool ps = bit(*entry, 7);
    const bool leaf =
        level == 1 || (ps && level == 2) || (ps && level == 3 && cpu.state.features.gigabyte_pages);
    bool reserved = ps && !leaf;
    reserved = reserved || (bit(*entry, 63) && !cpu.nxe);
    for (int i = cpu.maxphyaddr; i < (long_mode ? 52 : 63); ++i) {
      reserved = reserved || bit(*entry, i);
    }
    for (int i = 13; leaf && i < low; ++i) {
      reserved = reserved || bit(*entry, i);
    }
    if (level >= 4 && cpu.state.features.bit8_reserved_on_top && bit(*entry, 8)) {
      reserved = true;
    }
    if (reserved) {
      return cpu.page_fault(true, true);
    }
    us = us && bit(*entry, 2);
    rw = rw && bit(*entry, 1);
    xd = xd || bit(*entry, 63);
    if (leaf) {
      const u64 page = slice(*entry, 51, low) << low;
      return cpu.finish(page | slice(gva, low - 1, 0), u64{1} << low, us, rw, xd,
                        slice(*entry, 62, 59));
    }
    table = *entry & 0x000ffffffffff000;
  }
}

// ---- AArch64: Arm ARM, pseudocode of the stage 1 walk ------------------------------------------

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

// ---- RISC-V: privileged architecture, "Virtual Address Translation Process" --------------------

struct RiscvCauses {
  u64 page_fault, access_fault;
};

}  // namespace

Answer walk(const Memory& memory, const x86_64::PagingState& state, u64 gva, GuestAccess access) {
  const X86 cpu{state, access.kind == AccessKind::kWrite, access.privilege == Privilege::kUser,
                access.kind == AccessKind::kExecute};
  if (!cpu.pg || !cpu.lme) {
    if (gva >= u64{1} << 32) {
      return fault(kNotCanonical);
    }
  } else {
    const int width = cpu.la57 ? 57 : 48;
    for (int i = width; i < 64; ++i) {
      if (bit(gva, i) != bit(gva, width - 1)) {
        return fault(kNotCanonical);
      }
    }
  }
  if (!cpu.pg) {
    return translated(gva, u64{1} << 32);
  }
  return cpu.lme || cpu.pae ? walk64(memory, cpu, gva) : walk32(memory, cpu, gva);
}

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

Answer walk(const Memory& memory, const riscv64::TranslationState& state, u64 gva,
            GuestAccess access) {
  const bool write = access.kind == AccessKind::kWrite;
  const bool fetch = access.kind == AccessKind::kExecute;
  const bool user = access.privilege == Privilege::kUser;
  const RiscvCauses causes = fetch   ? RiscvCauses{12, 1}
                             : write ? RiscvCauses{15, 7}
                                     : RiscvCauses{13, 5};
  const u64 mode = slice(state.satp, 63, 60);
  if (mode == 0) {
    return slice(gva, 63, 56) != 0 ? fault(causes.access_fault) : translated(gva, u64{1} << 56);
  }
  if (mode < 8 || mode > 10) {
    return fault(0);
  }
  const int levels = static_cast<int>(mode) - 5;
  const int va_bits = 12 + 9 * levels;
  for (int i = va_bits; i < 64; ++i) {
    if (bit(gva, i) != bit(gva, va_bits - 1)) {
      return fault(causes.page_fault);
    }
  }
  // 1. Let a be satp.ppn × PAGESIZE, and let i = LEVELS − 1.
  u64 a = slice(state.satp, 43, 0) * 4096;
  for (int i = levels - 1;; --i) {
    // 2. Let pte be the value of the PTE at address a + va.vpn[i] × PTESIZE.
    const u64 where = a + slice(gva, 12 + 9 * i + 8, 12 + 9 * i) * 8;
    const auto pte = memory(where, 8);
    if (!pte) {
      return no_memory(where);
    }
    const bool v = bit(*pte, 0);
    const bool r = bit(*pte, 1);
    const bool w = bit(*pte, 2);
    const bool x = bit(*pte, 3);
    const bool u = bit(*pte, 4);
    const bool flag_a = bit(*pte, 6);
    const bool flag_d = bit(*pte, 7);
    const bool n = bit(*pte, 63);
    const u64 pbmt = slice(*pte, 62, 61);
    // 3. If pte.v = 0, or if pte.r = 0 and pte.w = 1, or if any bits or encodings that are reserved
    //    are set, stop and raise a page fault.
    if (!v || (!r && w) || slice(*pte, 60, 54) != 0) {
      return fault(causes.page_fault);
    }
    // 4. If pte.r = 1 or pte.x = 1, go to step 5; otherwise this is a pointer to the next level.
    if (!r && !x) {
      if (flag_d || flag_a || u || pbmt != 0 || n || i == 0) {
        return fault(causes.page_fault);
      }
      a = slice(*pte, 53, 10) * 4096;
      continue;
    }
    if (pbmt == 3 || (pbmt != 0 && !state.features.svpbmt)) {
      return fault(causes.page_fault);
    }
    // 5. If i > 0 and the low parts of the PPN are not zero, this is a misaligned superpage.
    const u64 ppn = slice(*pte, 53, 10);
    if (i > 0 && slice(ppn, 9 * i - 1, 0) != 0) {
      return fault(causes.page_fault);
    }
    int offset_bits = 12 + 9 * i;
    if (n) {
      if (!state.features.svnapot || i != 0 || slice(ppn, 3, 0) != 8) {
        return fault(causes.page_fault);
      }
      offset_bits = 16;
    }
    // 6. Determine if the access is allowed by r, w, x and u, SUM and MXR.
    const bool sum = bit(state.sstatus, 18);
    const bool mxr = bit(state.sstatus, 19);
    const bool mode_allows = user ? u : (!u || (sum && !fetch));
    const bool kind_allows = fetch ? x : write ? w : (r || (mxr && x));
    if (!mode_allows || !kind_allows) {
      return fault(causes.page_fault);
    }
    // 7. If pte.a = 0, or if the access is a store and pte.d = 0.
    if (!state.features.hardware_flags && (!flag_a || (write && !flag_d))) {
      return fault(causes.page_fault);
    }
    // 8. The translation is successful.
    const u64 base = slice(ppn, 43, 0) * 4096;
    const u64 size = u64{1} << offset_bits;
    return translated((base & ~(size - 1)) | slice(gva, offset_bits - 1, 0), size);
  }
}

}  // namespace nestling::oracle
