// Proves that unaligned accesses over every edge move the right bytes: 2, 4 and 8 bytes over 4 KiB,
// granule and 2 MiB edges, with either side populated or not, from the kernel and from a device;
// with outer=ADDRESS also over the end of RAM, behind which nothing answers; status 0.
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
  if (const auto end = command_line_number(info, "outer")) {
    check_outer_edge(*end);
  }
  print("{} accesses over edges\n", accesses);
  return 0;
}

}  // namespace nestling::guest
