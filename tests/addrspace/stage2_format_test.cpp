// What holds for every stage-2 entry format: round trips, refusals, holes, steps.
#include "addrspace/stage2_format.h"

#include <map>
#include <vector>

#include <fmt/core.h>
#include <gtest/gtest.h>

#include "addrspace/aarch64/stage2.h"
#include "addrspace/riscv64/stage2.h"
#include "addrspace/x86_64/amd_nested.h"
#include "addrspace/x86_64/ept.h"

namespace nestling {
namespace {

// A format must be complete, and an address must not pass for an entry's other parts.
static_assert(!Stage2Format<int>);
static_assert(!Stage2Format<LeafEntry>);

const std::vector<Access>& all_access() {
  static const std::vector<Access> kAll = [] {
    std::vector<Access> all;
    for (unsigned bits = 0; bits < 8; ++bits) {
      all.push_back(((bits & 1) != 0 ? Access::read() : Access::none()) |
                    ((bits & 2) != 0 ? Access::write() : Access::none()) |
                    ((bits & 4) != 0 ? Access::execute() : Access::none()));
    }
    return all;
  }();
  return kAll;
}

template <typename Format>
class EveryFormat : public ::testing::Test {
 protected:
  /// Every leaf the format accepts, and what it is encoded to; at a low, a middle and the highest
  /// frame.
  template <typename Function>
  static void for_each_leaf(Function&& function) {
    for (const PageSize size : kPageSizes) {
      const std::uint64_t top = (std::uint64_t{1} << Format::kHpaBits) - bytes_of(size);
      for (const std::uint64_t frame : {std::uint64_t{0}, 3 * bytes_of(size), top}) {
        for (const Access access : all_access()) {
          for (const MemoryType type : kMemoryTypes) {
            const LeafEntry leaf = {HostPhysAddr(frame), size, access, type};
            if (const auto raw = Format::encode_leaf(leaf)) {
              function(leaf, *raw);
            }
          }
        }
      }
    }
  }
};

using Formats =
    ::testing::Types<x86_64::Ept<4>, x86_64::Ept<5>, x86_64::Ept<4, x86_64::ExecuteOnly::kAllowed>,
                     x86_64::AmdNested<4>, x86_64::AmdNested<5>, aarch64::Stage2ThreeLevels,
                     aarch64::Stage2FourLevels, aarch64::Stage2<3, 43>, riscv64::Sv39x4,
                     riscv64::Sv48x4>;
TYPED_TEST_SUITE(EveryFormat, Formats);

TYPED_TEST(EveryFormat, DecodesWhatItEncodes) {
  int count = 0;
  this->for_each_leaf([&](const LeafEntry& leaf, RawEntry raw) {
    ++count;
    const auto decoded = TypeParam::decode_leaf(raw, leaf.size);
    ASSERT_TRUE(decoded) << std::hex << raw;
    EXPECT_EQ(decoded->frame, leaf.frame);
    EXPECT_EQ(decoded->size, leaf.size);
    EXPECT_TRUE(decoded->access == leaf.access) << std::hex << raw;
    EXPECT_EQ(decoded->type, TypeParam::effective_type(leaf.type));
    EXPECT_EQ(TypeParam::encode_leaf(*decoded), raw);
  });
  // Three sizes, three frames, and at least read, read-write, read-execute and all, of write-back
  // and uncached.
  EXPECT_GE(count, 3 * 3 * 4 * 2);
}

TYPED_TEST(EveryFormat, TakesEachLeafForALeafOfItsOwnSizeOnly) {
  this->for_each_leaf([&](const LeafEntry& leaf, RawEntry raw) {
    EXPECT_EQ(TypeParam::kind(raw, level_of(leaf.size)), EntryKind::kLeaf) << std::hex << raw;
    EXPECT_EQ(TypeParam::address(raw), leaf.frame);
    EXPECT_TRUE(leaf.size == PageSize::k4KiB || !TypeParam::is_table(raw));
  });
}

TYPED_TEST(EveryFormat, HasOneEncodingForEachLeaf) {
  std::map<RawEntry, LeafEntry> seen;
  this->for_each_leaf([&](const LeafEntry& leaf, RawEntry raw) {
    LeafEntry effective = leaf;
    effective.type = TypeParam::effective_type(leaf.type).value();
    const auto [other, is_new] = seen.emplace(raw, effective);
    // Where a 4 KiB and a huge entry look alike, only the level tells them apart.
    LeafEntry expected = other->second;
    expected.size = effective.size;
    EXPECT_TRUE(is_new || expected == effective) << std::hex << raw;
  });
}

TYPED_TEST(EveryFormat, AlwaysGrantsReadWriteAndExecuteOfOrdinaryMemory) {
  for (const Access access :
       {Access::read(), Access::read_write(), Access::read() | Access::execute(), Access::all()}) {
    for (const PageSize size : kPageSizes) {
      EXPECT_TRUE(TypeParam::encode_leaf(
          {HostPhysAddr(bytes_of(size)), size, access, MemoryType::kWriteBack}));
      EXPECT_TRUE(TypeParam::encode_leaf(
          {HostPhysAddr(bytes_of(size)), size, access, MemoryType::kUncached}));
    }
  }
}

TYPED_TEST(EveryFormat, RefusesAnEmptyAccess) {
  for (const PageSize size : kPageSizes) {
    for (const MemoryType type : kMemoryTypes) {
      EXPECT_FALSE(TypeParam::encode_leaf({HostPhysAddr(0), size, Access::none(), type}));
    }
  }
}

TYPED_TEST(EveryFormat, JudgesAccessWhateverTheTypeAndSize) {
  for (const Access access : all_access()) {
    const bool is_accepted =
        TypeParam::encode_leaf({HostPhysAddr(0), PageSize::k4KiB, access, MemoryType::kWriteBack})
            .has_value();
    for (const MemoryType type : kMemoryTypes) {
      for (const PageSize size : kPageSizes) {
        EXPECT_EQ(TypeParam::encode_leaf({HostPhysAddr(0), size, access, type}).has_value(),
                  is_accepted && TypeParam::effective_type(type).has_value());
      }
    }
  }
}

TYPED_TEST(EveryFormat, RefusesMisalignedAndTooLargeFrames) {
  for (const PageSize size : kPageSizes) {
    for (const std::uint64_t frame : {std::uint64_t{1}, bytes_of(size) / 2, bytes_of(size) + 8,
                                      std::uint64_t{1} << TypeParam::kHpaBits,
                                      std::uint64_t{1} << 63, ~std::uint64_t{0} << 12}) {
      EXPECT_FALSE(TypeParam::encode_leaf(
          {HostPhysAddr(frame), size, Access::all(), MemoryType::kWriteBack}))
          << std::hex << frame;
    }
  }
  EXPECT_FALSE(TypeParam::encode_table(HostPhysAddr(0x800)));
  EXPECT_FALSE(TypeParam::encode_table(HostPhysAddr(std::uint64_t{1} << TypeParam::kHpaBits)));
}

TYPED_TEST(EveryFormat, PointsToTables) {
  for (const std::uint64_t table : {std::uint64_t{0}, std::uint64_t{0x1000},
                                    (std::uint64_t{1} << TypeParam::kHpaBits) - 0x1000}) {
    const auto raw = TypeParam::encode_table(HostPhysAddr(table));
    ASSERT_TRUE(raw);
    EXPECT_EQ(TypeParam::address(*raw), HostPhysAddr(table));
    EXPECT_EQ(*raw,
              *TypeParam::encode_table(HostPhysAddr(0)) + table / kPageSize * TypeParam::kPageStep);
    for (unsigned level = 1; level < TypeParam::kLevels; ++level) {
      EXPECT_EQ(TypeParam::kind(*raw, level), EntryKind::kTable);
      EXPECT_TRUE(TypeParam::is_table(*raw));
    }
    for (const PageSize size : {PageSize::k2MiB, PageSize::k1GiB}) {
      EXPECT_FALSE(TypeParam::decode_leaf(*raw, size));
    }
  }
}

TYPED_TEST(EveryFormat, StepsFromPageToPageInTheAddressAlone) {
  this->for_each_leaf([&](const LeafEntry& leaf, RawEntry raw) {
    LeafEntry next = leaf;
    next.frame = HostPhysAddr(leaf.frame.value() + bytes_of(leaf.size));
    if (const auto next_raw = TypeParam::encode_leaf(next)) {
      EXPECT_EQ(*next_raw - raw, TypeParam::kPageStep << (9 * level_of(leaf.size)));
    }
  });
}

TYPED_TEST(EveryFormat, SettlesWhatATypeBecomes) {
  for (const MemoryType type : kMemoryTypes) {
    if (const auto effective = TypeParam::effective_type(type)) {
      EXPECT_EQ(TypeParam::effective_type(*effective), *effective) << name_of(type);
      EXPECT_EQ(is_device(*effective), is_device(type)) << name_of(type);
    }
  }
}

TYPED_TEST(EveryFormat, TakesZeroForAHole) {
  for (unsigned level = 0; level < TypeParam::kLevels; ++level) {
    EXPECT_EQ(TypeParam::kind(0, level), EntryKind::kHole);
    EXPECT_FALSE(TypeParam::is_table(0));
  }
  for (const PageSize size : kPageSizes) {
    EXPECT_FALSE(TypeParam::decode_leaf(0, size));
  }
}

}  // namespace
}  // namespace nestling
