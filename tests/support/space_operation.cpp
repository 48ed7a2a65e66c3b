// Random operations, where they happen, and how they are written down.
#include "tests/support/space_operation.h"

#include <algorithm>
#include <array>
#include <random>
#include <string_view>

#include <fmt/core.h>

namespace nestling::testing {

ModelSetup small_setup(Stage2Kind format) {
  return {.format = format,
          .range = GuestPhysRange::of(GuestPhysAddr((1ULL << 30) - (4ULL << 20)), 8ULL << 20)};
}

ModelSetup large_setup(Stage2Kind format) {
  return {.format = format,
          .range = GuestPhysRange::of(GuestPhysAddr((1ULL << 30) - kPageSize),
                                      (3ULL << 30) + 2 * kPageSize)};
}

std::vector<SpaceOperation> random_operations(std::uint64_t seed, std::size_t count,
                                              const ModelSetup& setup) {
  using Kind = SpaceOperation::Kind;
  std::mt19937_64 random(seed);
  const auto below = [&](std::uint64_t bound) {
    return static_cast<std::uint32_t>(random() % bound);
  };
  const std::uint64_t pages = setup.range.size() / kPageSize;
  const std::uint64_t first_aligned =
      (-setup.range.start().value() & ((1ULL << 21) - 1)) / kPageSize;
  std::vector<SpaceOperation> operations(count);
  for (SpaceOperation& operation : operations) {
    operation.kind = static_cast<Kind>(below(SpaceOperation::kKinds));
    if (operation.kind == Kind::kClear && below(20) != 0) {
      operation.kind = Kind::kFault;
    }
    operation.page = below(pages);
    operation.choice = static_cast<std::uint8_t>(below(256));
    operation.host = below(kLinearFrames);
    switch (below(8)) {
      case 0:  // whole pages of 2 MiB
      case 1:
        operation.page -= (operation.page - static_cast<std::uint32_t>(first_aligned)) % 512;
        operation.count = 512 * (1 + below(3));
        operation.host = 512 * below(4);
        break;
      case 2:
        operation.count = below(pages);
        break;
      case 3:  // out of the space, or close to it
        operation.page = static_cast<std::uint32_t>(pages) - below(4);
        operation.count = below(6);
        break;
      case 4:
        operation.page = 0;
        operation.count = static_cast<std::uint32_t>(pages);
        break;
      default:
        operation.count = below(40);
        break;
    }
    if (operation.page > pages) {
      operation.page = 0;
    }
    if (operation.kind == Kind::kMapLinear) {
      operation.count = std::min<std::uint32_t>(operation.count, kLinearFrames);
      operation.host = below(2) != 0 ? operation.host : below(kLinearFrames);
      operation.host =
          std::min(operation.host, static_cast<std::uint32_t>(kLinearFrames) - operation.count);
    }
  }
  return operations;
}

std::string describe(const SpaceOperation& operation) {
  constexpr std::array<std::string_view, SpaceOperation::kKinds> kNamesOfKinds = {
      "map_linear", "map_eager", "map_lazy", "unmap",     "protect", "populate", "discard",
      "fault",      "write",     "read",     "find_free", "audit",   "clear"};
  return fmt::format("{} page {:#x} count {:#x} host {:#x} choice {}",
                     kNamesOfKinds.at(static_cast<std::size_t>(operation.kind)), operation.page,
                     operation.count, operation.host, operation.choice);
}

}  // namespace nestling::testing
