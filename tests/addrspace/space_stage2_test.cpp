// Two-stage walks through a real address space, in every entry format.
#include "addrspace/space_stage2.h"

#include <gtest/gtest.h>

namespace nestling {
namespace {

using Reason = Stage2Fault::Reason;

constexpr GuestAccess kRead{AccessKind::kRead, Privilege::kSupervisor};
constexpr GuestAccess kWrite{AccessKind::kWrite, Privilege::kSupervisor};
constexpr GuestPhysAddr kTables{0x4000'0000};
constexpr GuestPhysAddr kReadOnly{0x4020'0000};
constexpr GuestPhysAddr kLazy{0x4040'0000};
constexpr GuestPhysAddr kHole{0x4060'0000};
constexpr GuestPhysAddr kOutside{0x6000'0000};

/// A long-mode guest whose 2 MiB page number i goes to the i-th of the addresses above.
class ThroughTheSpace : public testing::TestWithParam<Stage2Kind> {
 protected:
  ThroughTheSpace() {
    RamPool::Options pool_options;
    pool_options.capacity = 64ULL << 20;
    pool = RamPool::create(std::move(pool_options)).value();
    AddressSpace::Options options;
    options.range = GuestPhysRange::of(kTables, 0x2000'0000);
    options.format = GetParam();
    space = AddressSpace::create(*pool, options).value();
    constexpr std::uint64_t kSize = 2ULL << 20;
    AreaOptions area;
    area.name = "tables";
    check(space->map_alloc(GuestPhysRange::of(kTables, kSize), Populate::kNow, area).has_value(),
          "map");
    area.name = "read-only";
    area.access = Access::read() | Access::execute();
    check(space->map_alloc(GuestPhysRange::of(kReadOnly, kSize), Populate::kNow, area).has_value(),
          "map");
    area.name = "lazy";
    area.access = Access::all();
    check(space->map_alloc(GuestPhysRange::of(kLazy, kSize), Populate::kOnTouch, area).has_value(),
          "map");
    set(0x0000, 0x4000'1003);
    set(0x1000, 0x4000'2003);
    set(0x2000, kTables.value() | 0x83);
    set(0x2008, kReadOnly.value() | 0x83);
    set(0x2010, kLazy.value() | 0x83);
    set(0x2018, kHole.value() | 0x83);
    set(0x2020, kOutside.value() | 0x83);
    state.cr0 = 0x8001'0001;
    state.cr3 = kTables.value();
    state.cr4 = 0x20;
    state.efer = 0xd00;
  }

  void set(std::uint64_t offset, std::uint64_t entry) {
    const HostPhysAddr host = space->translate(kTables + offset).value();
    check(exchange_entry(pool->bytes(HostPhysRange::of(host, 8)), {0, entry}) ==
              TableMemory::Swap::kDone,
          "a table entry is set once");
  }
  [[nodiscard]] auto translate(std::uint64_t gva, GuestAccess access,
                               TableUpdate update = TableUpdate::kNone) {
    SpaceStage2 stage2(*space);
    return translate_virt(stage2, state, GuestVirtAddr(gva), access, update);
  }
  [[nodiscard]] Stage2Fault fault(std::uint64_t gva, GuestAccess access) {
    const auto both = translate(gva, access);
    if (both.outcome) {
      ADD_FAILURE() << "translated";
      return {};
    }
    return std::get<Stage2Stop>(both.outcome.error()).fault;
  }

  std::unique_ptr<RamPool> pool;
  std::unique_ptr<AddressSpace> space;
  x86_64::PagingState state;
};

TEST_P(ThroughTheSpace, FindsTheHostsByteOfAVirtualAddress) {
  const auto both = translate(0x1234, kWrite);
  ASSERT_TRUE(both.outcome);
  EXPECT_EQ(both.outcome->gpa, kTables + 0x1234);
  EXPECT_EQ(both.outcome->hpa, space->translate(kTables + 0x1234).value());
  EXPECT_EQ(both.outcome->stage1_page_size, 2ULL << 20);
  EXPECT_EQ(both.outcome->page_size(), bytes_of(space->query(kTables)->page_size));
}

TEST_P(ThroughTheSpace, DeniesWhatTheAreaDenies) {
  EXPECT_FALSE(translate(0x20'0000, kRead).outcome->access.allows(Access::write()));
  EXPECT_EQ(fault(0x20'0010, kWrite),
            (Stage2Fault{Reason::kDenied, kReadOnly + 0x10, Access::write()}));
}

TEST_P(ThroughTheSpace, TellsHolesFromMemoryThatIsStillToCome) {
  EXPECT_EQ(fault(0x40'0008, kWrite),
            (Stage2Fault{Reason::kNotPopulated, kLazy + 8, Access::write()}));
  EXPECT_EQ(fault(0x60'0000, kRead).reason, Reason::kNoArea);
  EXPECT_EQ(fault(0x80'0000, kRead).reason, Reason::kOutsideSpace);
  ASSERT_TRUE(space->populate(GuestPhysRange::of(kLazy, kPageSize)));
  EXPECT_TRUE(translate(0x40'0008, kWrite).outcome);
}

TEST_P(ThroughTheSpace, MarksTheGuestsEntries) {
  ASSERT_TRUE(translate(0x1234, kWrite, TableUpdate::kAccessedDirty).outcome);
  SpaceStage2 stage2(*space);
  const HostPhysAddr host = space->translate(kTables + 0x2000).value();
  EXPECT_EQ(load_entry(stage2.bytes(HostPhysRange::of(host, 8))), kTables.value() | 0xe3);
}

TEST_P(ThroughTheSpace, ForgetsWhatItKnewWhenTheSpaceChanges) {
  SpaceStage2 stage2(*space);
  const auto translate = [&](GuestAccess access) {
    return translate_virt(stage2, state, GuestVirtAddr(0x20'0010), access);
  };
  EXPECT_FALSE(translate(kWrite).outcome);
  ASSERT_TRUE(translate(kRead).outcome);
  const GuestPhysRange page = GuestPhysRange::of(kReadOnly, kPageSize);
  ASSERT_TRUE(space->protect(page, Access::read_write()));
  EXPECT_TRUE(translate(kWrite).outcome);
  ASSERT_TRUE(space->discard(page));
  EXPECT_EQ(std::get<Stage2Stop>(translate(kRead).outcome.error()).fault.reason,
            Reason::kNotPopulated);
  ASSERT_TRUE(space->populate(page));
  EXPECT_TRUE(translate(kRead).outcome);
  ASSERT_TRUE(space->unmap(page));
  EXPECT_EQ(std::get<Stage2Stop>(translate(kRead).outcome.error()).fault.reason, Reason::kNoArea);
  space->clear();
  EXPECT_EQ(std::get<Stage2Stop>(translate(kRead).outcome.error()).table_level, std::int8_t{4});
}

TEST_P(ThroughTheSpace, AnswersFromItsCacheWhatTheSpaceAnswers) {
  SpaceStage2 cached(*space);
  SpaceStage2 plain(*space, SpaceStage2::Cache::kOff);
  // More pages than the cache has places, each asked twice and at another byte.
  for (std::uint64_t offset = 0; offset < 0x8'0000; offset += 0x801) {
    const GuestPhysAddr gpa = kTables + offset;
    EXPECT_EQ(*cached.translate(gpa), *plain.translate(gpa));
    EXPECT_EQ(*cached.translate(kTables + 8), *plain.translate(kTables + 8));
  }
}

INSTANTIATE_TEST_SUITE_P(Formats, ThroughTheSpace, testing::ValuesIn(kStage2Kinds));

}  // namespace
}  // namespace nestling
