// Proves that unaligned accesses over every edge move the right bytes: 2, 4 and 8 bytes over 4 KiB,
// granule and 2 MiB edges, with either side populated or not, from the kernel and from a device,
// and between pages that are neighbours for the kernel only; with outer=ADDRESS also over the end
// of RAM, behind which nothing answers, with rom=ADDRESS into and out of a page of ROM; status 0.
#include <array>
#include <cstdint>

#include "guest/kit/boot_info.h"
#include "guest/kit/expect.h"
#include "guest/kit/kernel.h"
#include "guest/kit/own_tables.h"
#include "guest/kit/physical.h"
#include "guest/kit/test_device.h"

namespace nestling::guest {
namespace {

enum class Side : std::uint8_t { kKernel, kDevice };

/// Bits: which side of the edge is populated beforehand.
constexpr unsigned kBelow = 1;
constexpr unsigned kAbove = 2;

constexpr std::uint64_t kValue = 0x8877'6655'4433'2211;

std::uint64_t value_of(unsigned size) { return kValue & (~0ULL >> (64 - 8 * size)); }

template <typename T>
T load_as(std::uint64_t at) {
  struct [[gnu::packed]] Unaligned {
    T value;
  };
  return at_address<const volatile Unaligned>(at)->value;
}

template <typename T>
void store_as(std::uint64_t at, std::uint64_t value) {
  struct [[gnu::packed]] Unaligned {
    T value;
  };
  at_address<volatile Unaligned>(at)->value = static_cast<T>(value);
}

std::uint64_t load(std::uint64_t at, unsigned size) {
  switch (size) {
    case 2:
      return load_as<std::uint16_t>(at);
    case 4:
      return load_as<std::uint32_t>(at);
    default:
      return load_as<std::uint64_t>(at);
  }
}

void store(std::uint64_t at, unsigned size, std::uint64_t value) {
  switch (size) {
    case 2:
      store_as<std::uint16_t>(at, value);
      break;
    case 4:
      store_as<std::uint32_t>(at, value);
      break;
    default:
      store_as<std::uint64_t>(at, value);
      break;
  }
}

std::uint64_t load_by(Side side, std::uint64_t at, unsigned size) {
  if (side == Side::kKernel) {
    return load(at, size);
  }
  const DeviceAccess access = try_device_read(at, size);
  expect(access.status == TestStatus::kOk, "the device to read {}", hex(at));
  return access.value;
}

void store_by(Side side, std::uint64_t at, unsigned size, std::uint64_t value) {
  if (side == Side::kKernel) {
    store(at, size, value);
  } else {
    expect(try_device_write(at, size, value) == TestStatus::kOk, "the device to write {}", hex(at));
  }
}

/// Makes both big pages around `edge` zero and, where the host can, not populated; then touches
/// what `populated` says.
void prepare(std::uint64_t edge, unsigned populated) {
  expect(discard(edge - kBigPage, 2 * kBigPage) == TestStatus::kOk, "to discard around {}",
         hex(edge));
  // Close to the edge, but beyond the bytes that are looked at.
  if ((populated & kBelow) != 0) {
    *at_address<volatile std::uint8_t>(edge - 64) = 0;
  }
  if ((populated & kAbove) != 0) {
    *at_address<volatile std::uint8_t>(edge + 64) = 0;
  }
}

void check_bytes(std::uint64_t at, unsigned size, std::uint64_t value) {
  const auto* const bytes = at_address<const volatile std::uint8_t>(at);
  for (unsigned i = 0; i < size; ++i) {
    const auto expected = static_cast<std::uint8_t>(value >> (8 * i));
    expect(bytes[i] == expected, "byte {} at {} of {}, not {}", hex(expected), hex(at + i),
           hex(value), hex(bytes[i]));
  }
  expect(bytes[-1] == 0 && bytes[size] == 0, "zeros beside {} bytes at {}", size, hex(at));
}

/// One access of `size` bytes, `below` of them below the edge.
// NOLINTNEXTLINE(bugprone-easily-swappable-parameters): named at the call.
void check_access(std::uint64_t edge, unsigned size, unsigned below, Side side) {
  const std::uint64_t at = edge - below;
  for (unsigned populated = 0; populated <= (kBelow | kAbove); ++populated) {
    prepare(edge, populated);
    const std::uint64_t before = load_by(side, at, size);
    expect(before == 0, "zero at {}, not {}", hex(at), hex(before));
    prepare(edge, populated);
    store_by(side, at, size, value_of(size));
    check_bytes(at, size, value_of(size));
    expect(load(at, size) == value_of(size), "{} at {}", hex(value_of(size)), hex(at));
  }
}

unsigned check_edge(std::uint64_t edge) {
  unsigned accesses = 0;
  for (const unsigned size : {2U, 4U, 8U}) {
    // The first, the middle and the last way to straddle; a device in the middle.
    for (const unsigned below : {1U, size / 2, size - 1}) {
      check_access(edge, size, below, Side::kKernel);
      accesses += 4;
    }
    check_access(edge, size, size / 2, Side::kDevice);
    accesses += 4;
  }
  return accesses;
}

/// Two pages that are neighbours in the kernel's tables, but not in memory.
struct Neighbours {
  static constexpr std::uint64_t kVirtual = 0x10'0000'0000;

  std::uint64_t below = 0;
  std::uint64_t above = 0;

  [[nodiscard]] std::uint64_t phys_of(std::uint64_t virt) const {
    const std::uint64_t offset = virt - kVirtual;
    return offset < kSmallPage ? below + offset : above + (offset - kSmallPage);
  }
  /// Zero, and populated as far as that says.
  void prepare(unsigned populated) const {
    expect(discard(below, kSmallPage) == TestStatus::kOk, "to discard {}", hex(below));
    expect(discard(above, kSmallPage) == TestStatus::kOk, "to discard {}", hex(above));
    if ((populated & kBelow) != 0) {
      *at_address<volatile std::uint8_t>(below) = 0;
    }
    if ((populated & kAbove) != 0) {
      *at_address<volatile std::uint8_t>(above + 64) = 0;
    }
  }
  /// That the bytes are where they belong.
  void check(std::uint64_t virt, unsigned size) const {
    for (unsigned i = 0; i < size; ++i) {
      const std::uint64_t phys = phys_of(virt + i);
      const std::uint8_t found = *at_address<const volatile std::uint8_t>(phys);
      expect(found == static_cast<std::uint8_t>(kValue >> (8 * i)), "byte {} of {} at {}, not {}",
             i, hex(kValue), hex(phys), hex(found));
    }
  }
};

unsigned check_neighbours(const BootInfo& info, const MemoryRange& usable) {
  PageSource pages{.next = usable.start, .end = usable.start + kBigPage};
  OwnTables tables(pages);
  tables.map_identity(info);
  const Neighbours both{.below = usable.start + 5 * kBigPage + kSmallPage,
                        .above = usable.start + 3 * kBigPage};
  for (const std::uint64_t offset : {std::uint64_t{0}, kSmallPage}) {
    tables.map({.virt = Neighbours::kVirtual + offset,
                .phys = both.phys_of(Neighbours::kVirtual + offset),
                .rights = PageRights::kWrite});
  }
  tables.use();
  unsigned accesses = 0;
  for (const unsigned size : {2U, 4U, 8U}) {
    for (unsigned below = 1; below < size; ++below) {
      for (unsigned populated = 0; populated <= (kBelow | kAbove); ++populated) {
        const std::uint64_t at = Neighbours::kVirtual + kSmallPage - below;
        both.prepare(populated);
        const std::uint64_t before = load(at, size);
        expect(before == 0, "zero at {}, not {}", hex(at), hex(before));
        both.prepare(populated);
        store(at, size, value_of(size));
        both.check(at, size);
        expect(load(at, size) == value_of(size), "{} at {}", hex(value_of(size)), hex(at));
        ++accesses;
      }
    }
  }
  return accesses;
}

/// What is written into ROM goes nowhere, what is written beside it does not.
void check_rom_edges(std::uint64_t rom) {
  const auto byte_at = [](std::uint64_t at) {
    return *at_address<const volatile std::uint8_t>(at);
  };
  for (const std::uint64_t edge : {rom, rom + kSmallPage}) {
    for (const unsigned size : {2U, 4U, 8U}) {
      for (unsigned below = 1; below < size; ++below) {
        const std::uint64_t at = edge - below;
        const std::uint64_t ram = edge == rom ? rom - 8 : edge;
        store(ram, 8, 0);
        std::uint64_t expected = 0;
        for (unsigned i = 0; i < size; ++i) {
          const bool is_rom = (edge == rom) == (i >= below);
          const std::uint64_t byte = is_rom ? byte_at(at + i) : kValue >> (8 * i) & 0xff;
          expected |= byte << (8 * i);
        }
        store(at, size, value_of(size));
        expect(load(at, size) == expected, "{} at {}, not {}", hex(expected), hex(at),
               hex(load(at, size)));
        for (std::uint64_t beside = ram; beside < ram + 8; ++beside) {
          expect((beside >= at && beside < at + size) || byte_at(beside) == 0,
                 "zero at {}, beside {} bytes at {}", hex(beside), size, hex(at));
        }
      }
    }
  }
  print("accesses over the edges of ROM at {}\n", hex(rom));
}

/// Behind the end of RAM reads give ones, writes go nowhere; the bytes in RAM are not harmed.
void check_outer_edge(std::uint64_t end) {
  for (const unsigned size : {2U, 4U, 8U}) {
    for (unsigned below = 1; below < size; ++below) {
      const std::uint64_t at = end - below;
      store(end - 8, 8, 0);
      store(at, size, value_of(size));
      const std::uint64_t inside = value_of(size) & (~0ULL >> (64 - 8 * below));
      const std::uint64_t outside = (~0ULL << (8 * below)) & (~0ULL >> (64 - 8 * size));
      expect(load(at, size) == (inside | outside), "{} at {}, not {}", hex(inside | outside),
             hex(at), hex(load(at, size)));
      expect(try_device_read(at, size).status == TestStatus::kUnmapped,
             "the device to find nothing behind {}", hex(end));
    }
  }
  print("accesses over the end of RAM at {}\n", hex(end));
}

}  // namespace

int kernel_main(const BootInfo& info) {
  need_test_device();
  const std::uint64_t granule = command_line_number(info, "granule").value_or(64 << 10);
  const MemoryRange usable = largest_usable(info);
  expect(usable.size >= 6 * kBigPage, "more memory");
  // A 2 MiB edge, a granule's, and one of 4 KiB only.
  const std::uint64_t middle = usable.start + 2 * kBigPage;
  unsigned accesses = 0;
  for (const std::uint64_t edge :
       {middle, middle + granule % kBigPage, middle + granule % kBigPage + kSmallPage}) {
    accesses += check_edge(edge);
  }
  const unsigned between_neighbours = check_neighbours(info, usable);
  if (const auto rom = command_line_number(info, "rom")) {
    check_rom_edges(*rom);
  }
  if (const auto end = command_line_number(info, "outer")) {
    check_outer_edge(*end);
  }
  print("{} accesses over edges, {} between neighbours\n", accesses, between_neighbours);
  return 0;
}

}  // namespace nestling::guest
