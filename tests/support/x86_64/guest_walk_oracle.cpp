// The walks of Intel's SDM, volume 3, chapter "Paging", step by step; deliberately naive.
#include "tests/support/guest_walk_oracle.h"

#include <algorithm>
#include <array>

#include "tests/support/guest_walk_oracle_bits.h"

namespace nestling::oracle {

namespace {

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

}  // namespace nestling::oracle
