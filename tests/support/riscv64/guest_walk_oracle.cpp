// The privileged architecture's "Virtual Address Translation Process", step by step; deliberately
// naive.
#include "tests/support/guest_walk_oracle.h"

#include <algorithm>
#include <array>

#include "tests/support/guest_walk_oracle_bits.h"

namespace nestling::oracle {

namespace {

struct RiscvCauses {
  u64 page_fault, access_fault;
};

}  // namespace

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
