// One operation on an address space as plain data, for runs of random ones.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "addrspace/address_space.h"

namespace nestling::testing {

/// Pages that linear areas map.
inline constexpr std::uint64_t kLinearFrames = 2048;

/// One operation, whatever state it meets: pages count from the start of the space, and may lie
/// outside it.
struct SpaceOperation {
  enum class Kind : std::uint8_t {
    kMapLinear,
    kMapEager,
    kMapLazy,
    kUnmap,
    kProtect,
    kPopulate,
    kDiscard,
    kFault,
    kWrite,
    kRead,
    kFindFree,
    kAudit,
    kClear,
  };
  static constexpr unsigned kKinds = 13;

  Kind kind = Kind::kMapLazy;
  std::uint32_t page = 0;
  std::uint32_t count = 0;  ///< pages; bytes of kWrite and kRead
  std::uint32_t host = 0;   ///< kMapLinear: page of the frames; kWrite, kRead: byte in the page
  std::uint8_t choice = 0;  ///< picks rights, name, type
};

/// What the run happens in.
struct ModelSetup {
  Stage2Kind format = Stage2Kind::kEpt4;
  GuestPhysRange range;
  std::uint64_t fault_granule = bytes_of(PageSize::k2MiB);
  /// Bytes that frames and tables may take; operations may then run out of memory, with no effect.
  std::uint64_t limit = UINT64_MAX;
};

/// A space of 8 MiB around the first GiB: pages of 2 MiB, on both sides of a table's end.
[[nodiscard]] ModelSetup small_setup(Stage2Kind format);
/// A space of 3 GiB less a page on either side: pages of 1 GiB.
[[nodiscard]] ModelSetup large_setup(Stage2Kind format);

/// `count` operations that mostly make sense in `setup`.
[[nodiscard]] std::vector<SpaceOperation> random_operations(std::uint64_t seed, std::size_t count,
                                                            const ModelSetup& setup);

[[nodiscard]] std::string describe(const SpaceOperation& operation);

}  // namespace nestling::testing
