// The oracle's walk: one loop a hardware, every bit by its number in the manual.
#include "tests/support/table_oracle.h"

#include <fmt/core.h>

namespace nestling::testing::oracle {

namespace {

std::uint64_t bits(std::uint64_t value, unsigned high, unsigned low) {
  const std::uint64_t shifted = value >> low;
  const unsigned width = high - low + 1;
  return width == 64 ? shifted : shifted & ((1ULL << width) - 1);
}
bool bit(std::uint64_t value, unsigned number) { return bits(value, number, number) != 0; }

std::uint64_t entry_at(const Tables& tables, std::uint64_t table, std::uint64_t index) {
  // Hardware reads an entry whole.
  const auto* entry =
      reinterpret_cast<const std::uint64_t*>(tables.memory + table + index * sizeof(std::uint64_t));
  return __atomic_load_n(entry, __ATOMIC_ACQUIRE);
}

Access access_of(bool read, bool write, bool execute) {
  return (read ? Access::read() : Access::none()) | (write ? Access::write() : Access::none()) |
         (execute ? Access::execute() : Access::none());
}

/// The page of 2^shift bytes that starts at `start`, which must be a multiple of its size.
Outcome page(std::uint64_t start, unsigned shift, std::uint64_t gpa, Access access,
             MemoryType type) {
  const std::uint64_t size = 1ULL << shift;
  if (start % size != 0) {
    return Malformed{"address bits below the page"};
  }
  return Page{start + gpa % size, size, access, type};
}

/// Intel SDM volume 3, formats of EPT paging-structure entries.
Outcome look_up_ept(const Tables& tables, std::uint64_t gpa) {
  std::uint64_t table = tables.root;
  for (unsigned shift = 12 + 9 * (tables.levels - 1);; shift -= 9) {
    const std::uint64_t entry = entry_at(tables, table, bits(gpa, shift + 8, shift));
    if (bits(entry, 2, 0) == 0) {
      return entry == 0 ? Outcome(Hole{}) : Malformed{"not present, but not zero"};
    }
    if (!bit(entry, 0)) {
      return Malformed{"W or X without R"};
    }
    const std::uint64_t address = bits(entry, 51, 12) << 12;
    const bool is_leaf = shift == 12 || bit(entry, 7);
    if (!is_leaf) {
      if (bits(entry, 6, 3) != 0 || bits(entry, 63, 52) != 0 || bits(entry, 11, 8) != 0 ||
          bits(entry, 2, 0) != 7) {
        return Malformed{"pointer with other bits"};
      }
      table = address;
      continue;
    }
    if (shift > 30) {
      return Malformed{"page larger than 1 GiB"};
    }
    if (bits(entry, 63, 52) != 0 || bits(entry, 11, 8) != 0 || bit(entry, 6) ||
        (shift == 12 && bit(entry, 7))) {
      return Malformed{"page with other bits"};
    }
    MemoryType type = MemoryType::kWriteBack;
    switch (bits(entry, 5, 3)) {
      case 0:
        type = MemoryType::kUncached;
        break;
      case 1:
        type = MemoryType::kWriteCombining;
        break;
      case 4:
        type = MemoryType::kWriteThrough;
        break;
      case 5:
        type = MemoryType::kWriteProtected;
        break;
      case 6:
        break;
      default:
        return Malformed{"reserved memory type"};
    }
    return page(address, shift, gpa, access_of(bit(entry, 0), bit(entry, 1), bit(entry, 2)), type);
  }
}

/// AMD APM volume 2, long-mode page-translation tables, walked as a user.
Outcome look_up_amd(const Tables& tables, std::uint64_t gpa) {
  std::uint64_t table = tables.root;
  for (unsigned shift = 12 + 9 * (tables.levels - 1);; shift -= 9) {
    const std::uint64_t entry = entry_at(tables, table, bits(gpa, shift + 8, shift));
    if (!bit(entry, 0)) {
      return entry == 0 ? Outcome(Hole{}) : Malformed{"not present, but not zero"};
    }
    if (!bit(entry, 2)) {
      return Malformed{"no user access"};
    }
    const std::uint64_t address = bits(entry, 51, 12) << 12;
    if (shift != 12 && !bit(entry, 7)) {
      if (!bit(entry, 1) || bits(entry, 11, 3) != 0 || bits(entry, 63, 52) != 0) {
        return Malformed{"pointer with other bits"};
      }
      table = address;
      continue;
    }
    if (shift > 30 || bits(entry, 62, 52) != 0 || bits(entry, 11, 8) != 0 ||
        bits(entry, 6, 5) != 0 || (shift == 12 && bit(entry, 7))) {
      return Malformed{"page with other bits"};
    }
    MemoryType type = MemoryType::kWriteBack;
    if (bit(entry, 4)) {
      type = MemoryType::kUncached;
    } else if (bit(entry, 3)) {
      type = MemoryType::kWriteThrough;
    }
    return page(address, shift, gpa, access_of(true, bit(entry, 1), !bit(entry, 63)), type);
  }
}

/// Arm ARM, VMSAv8-64 stage 2 descriptors, 4 KiB granule.
Outcome look_up_aarch64(const Tables& tables, std::uint64_t gpa) {
  std::uint64_t table = tables.root;
  const unsigned first_shift = 12 + 9 * (tables.levels - 1);
  for (unsigned shift = first_shift;; shift -= 9) {
    // Concatenated tables at the root are indexed by all the bits that are left.
    const unsigned high = shift == first_shift ? tables.gpa_bits - 1 : shift + 8;
    const std::uint64_t entry = entry_at(tables, table, bits(gpa, high, shift));
    if (!bit(entry, 0)) {
      return entry == 0 ? Outcome(Hole{}) : Malformed{"invalid, but not zero"};
    }
    const std::uint64_t address = bits(entry, 47, 12) << 12;
    const bool is_table_or_page = bit(entry, 1);
    if (is_table_or_page && shift != 12) {
      if (bits(entry, 11, 2) != 0 || bits(entry, 63, 48) != 0) {
        return Malformed{"pointer with other bits"};
      }
      table = address;
      continue;
    }
    if (!is_table_or_page && shift != 21 && shift != 30) {
      return Malformed{"block at a level without blocks"};
    }
    if (!bit(entry, 10) || bit(entry, 11) || bits(entry, 50, 48) != 0 || bits(entry, 52, 51) != 0 ||
        bit(entry, 53) || bits(entry, 63, 55) != 0) {
      return Malformed{"page with other bits"};
    }
    MemoryType type = MemoryType::kWriteBack;
    std::uint64_t shareability = 0;
    switch (bits(entry, 5, 2)) {
      case 0b1111:
        shareability = 0b11;
        break;
      case 0b1010:
        type = MemoryType::kWriteThrough;
        shareability = 0b11;
        break;
      case 0b0101:
        type = MemoryType::kWriteCombining;
        break;
      case 0b0000:
        type = MemoryType::kDeviceNGnRnE;
        break;
      case 0b0001:
        type = MemoryType::kDeviceNGnRe;
        break;
      case 0b0010:
        type = MemoryType::kDeviceNGre;
        break;
      case 0b0011:
        type = MemoryType::kDeviceGre;
        break;
      default:
        return Malformed{"memory attributes"};
    }
    if (bits(entry, 9, 8) != shareability) {
      return Malformed{"shareability"};
    }
    return page(address, shift, gpa, access_of(bit(entry, 6), bit(entry, 7), !bit(entry, 54)),
                type);
  }
}

/// RISC-V privileged manual, Sv39x4 and Sv48x4.
Outcome look_up_riscv(const Tables& tables, std::uint64_t gpa) {
  std::uint64_t table = tables.root;
  const unsigned first_shift = 12 + 9 * (tables.levels - 1);
  for (unsigned shift = first_shift;; shift -= 9) {
    const unsigned high = shift == first_shift ? shift + 10 : shift + 8;
    const std::uint64_t entry = entry_at(tables, table, bits(gpa, high, shift));
    if (!bit(entry, 0)) {
      return entry == 0 ? Outcome(Hole{}) : Malformed{"invalid, but not zero"};
    }
    const std::uint64_t address = bits(entry, 53, 10) * 4096;
    if (bits(entry, 3, 1) == 0) {
      if (shift == 12 || bits(entry, 9, 4) != 0 || bits(entry, 63, 54) != 0) {
        return Malformed{"pointer with other bits, or at the last level"};
      }
      table = address;
      continue;
    }
    if (shift > 30) {
      return Malformed{"page larger than 1 GiB"};
    }
    if (!bit(entry, 1) && bit(entry, 2)) {
      return Malformed{"W without R"};
    }
    if (!bit(entry, 4) || bit(entry, 5) || !bit(entry, 6) || !bit(entry, 7) ||
        bits(entry, 9, 8) != 0 || bits(entry, 60, 54) != 0 || bit(entry, 63)) {
      return Malformed{"page with other bits"};
    }
    MemoryType type = MemoryType::kWriteBack;
    switch (bits(entry, 62, 61)) {
      case 0:
        break;
      case 1:
        type = MemoryType::kWriteCombining;
        break;
      case 2:
        type = MemoryType::kUncached;
        break;
      default:
        return Malformed{"reserved PBMT"};
    }
    return page(address, shift, gpa, access_of(bit(entry, 1), bit(entry, 2), bit(entry, 3)), type);
  }
}

}  // namespace

Outcome look_up(const Tables& tables, std::uint64_t gpa) {
  if (bits(gpa, 63, tables.gpa_bits) != 0) {
    return Hole{};
  }
  switch (tables.hardware) {
    case Hardware::kEpt:
      return look_up_ept(tables, gpa);
    case Hardware::kAmdNested:
      return look_up_amd(tables, gpa);
    case Hardware::kAArch64:
      return look_up_aarch64(tables, gpa);
    case Hardware::kRiscV:
      return look_up_riscv(tables, gpa);
  }
  return Malformed{"unknown hardware"};
}

std::string describe(const Outcome& outcome) {
  if (std::holds_alternative<Hole>(outcome)) {
    return "hole";
  }
  if (const auto* malformed = std::get_if<Malformed>(&outcome)) {
    return fmt::format("malformed: {}", malformed->what);
  }
  const Page& found = std::get<Page>(outcome);
  return fmt::format("{:#x} in a page of {:#x} bytes, {}{}{}, {}", found.host, found.size,
                     found.access.allows(Access::read()) ? 'r' : '-',
                     found.access.allows(Access::write()) ? 'w' : '-',
                     found.access.allows(Access::execute()) ? 'x' : '-', name_of(found.type));
}

}  // namespace nestling::testing::oracle
