// x86 guest walks, one rule a test, with entries written as literals.
#include "addrspace/x86_64/stage1_walk.h"

#include <gtest/gtest.h>

#include "tests/support/fake_table_memory.h"

namespace nestling::x86_64 {
namespace {

constexpr GuestAccess kRead{AccessKind::kRead, Privilege::kSupervisor};
constexpr GuestAccess kWrite{AccessKind::kWrite, Privilege::kSupervisor};
constexpr GuestAccess kFetch{AccessKind::kExecute, Privilege::kSupervisor};
constexpr GuestAccess kUserRead{AccessKind::kRead, Privilege::kUser};
constexpr GuestAccess kUserWrite{AccessKind::kWrite, Privilege::kUser};
constexpr GuestAccess kUserFetch{AccessKind::kExecute, Privilege::kUser};

/// PG, WP; PAE, PSE; LME, NXE.
PagingState long_mode() { return {0x8001'0001, 0x1000, 0x30, 0xd00, false, 0, 0, {}}; }
PagingState pae_mode() { return {0x8001'0001, 0x1000, 0x30, 0x800, false, 0, 0, {}}; }
PagingState legacy_mode() { return {0x8001'0001, 0x1000, 0x10, 0, false, 0, 0, {}}; }

/// Four levels at 0x1000, 0x2000, 0x3000, 0x4000 for address 0x7f8040201abc (index 255, 1, 1, 1),
/// all rights, ending at a page at 0x123000.
struct FourLevels : testing::Test {
  static constexpr GuestVirtAddr kGva{0x7f80'4020'1abc};
  FourLevels() {
    tables.set64(0x1000 + 255 * 8, 0x2007);
    tables.set64(0x2008, 0x3007);
    tables.set64(0x3008, 0x4007);
    tables.set64(0x4008, 0x12'3007);
  }
  [[nodiscard]] GuestWalk walk(GuestAccess access) {
    return x86_64::walk(tables, state, kGva, access);
  }
  /// The error code of the #PF that must come.
  [[nodiscard]] std::uint32_t error_code(GuestAccess access) {
    const GuestWalk walk = this->walk(access);
    if (walk.outcome) {
      ADD_FAILURE() << "translated";
      return ~0U;
    }
    const auto* fault = std::get_if<PagingFault>(&walk.outcome.error());
    EXPECT_NE(fault, nullptr);
    EXPECT_EQ(fault->kind, PagingFault::Kind::kPageFault);
    return fault->error_code;
  }
  FakeTableMemory tables{0x8000};
  PagingState state = long_mode();
};

TEST_F(FourLevels, TranslatesAndTracesEveryEntry) {
  const GuestWalk walk = this->walk(kRead);
  ASSERT_TRUE(walk.outcome);
  EXPECT_EQ(*walk.outcome, (Stage1Page{GuestPhysAddr(0x12'3abc), 4096, Access::all()}));
  const auto steps = walk.trace.steps();
  ASSERT_EQ(steps.size(), 4U);
  EXPECT_EQ(steps[0], (WalkStep{4, GuestPhysAddr(0x1000), 255, 8, 0x2007}));
  EXPECT_EQ(steps[1], (WalkStep{3, GuestPhysAddr(0x2000), 1, 8, 0x3007}));
  EXPECT_EQ(steps[2], (WalkStep{2, GuestPhysAddr(0x3000), 1, 8, 0x4007}));
  EXPECT_EQ(steps[3], (WalkStep{1, GuestPhysAddr(0x4000), 1, 8, 0x12'3007}));
}

TEST_F(FourLevels, IgnoresTheProcessContextInCr3) {
  state.cr3 |= 0xfff;
  EXPECT_TRUE(walk(kRead).outcome);
}

TEST_F(FourLevels, StopsAtTheFirstEntryThatIsNotPresent) {
  tables.set64(0x3008, 0x4006);
  EXPECT_EQ(error_code(kRead), 0U);
  EXPECT_EQ(error_code(kWrite), 0x2U);
  EXPECT_EQ(error_code(kFetch), 0x10U);
  EXPECT_EQ(error_code(kUserRead), 0x4U);
  EXPECT_EQ(error_code(kUserWrite), 0x6U);
  EXPECT_EQ(error_code(kUserFetch), 0x14U);
  EXPECT_EQ(walk(kRead).trace.steps().size(), 3U);
}

TEST_F(FourLevels, SaysFetchOnlyWhereTheCpuCouldRefuseOne) {
  tables.set64(0x4008, 0);
  state.efer &= ~kEferNoExecute;
  EXPECT_EQ(error_code(kFetch), 0U);
  state.cr4 |= kCr4Smep;
  EXPECT_EQ(error_code(kFetch), 0x10U);
}

TEST_F(FourLevels, NeedsTheWriteRightAtEveryLevel) {
  tables.set64(0x2008, 0x3005);
  EXPECT_EQ(walk(kRead).outcome->access, Access::read() | Access::execute());
  EXPECT_EQ(error_code(kWrite), 0x3U);
  EXPECT_EQ(error_code(kUserWrite), 0x7U);
}

TEST_F(FourLevels, LetsTheSupervisorWriteReadOnlyPagesWithoutWriteProtect) {
  tables.set64(0x4008, 0x12'3005);
  state.cr0 &= ~kCr0WriteProtect;
  EXPECT_TRUE(walk(kWrite).outcome);
  EXPECT_EQ(error_code(kUserWrite), 0x7U);
}

TEST_F(FourLevels, NeedsTheUserRightAtEveryLevel) {
  tables.set64(0x1000 + 255 * 8, 0x2003);
  EXPECT_EQ(error_code(kUserRead), 0x5U);
  EXPECT_EQ(error_code(kUserFetch), 0x15U);
  EXPECT_TRUE(walk(kWrite).outcome);
}

TEST_F(FourLevels, RefusesAFetchWhenAnyLevelForbidsIt) {
  tables.set64(0x3008, 0x8000'0000'0000'4007);
  EXPECT_EQ(error_code(kFetch), 0x11U);
  EXPECT_EQ(error_code(kUserFetch), 0x15U);
  EXPECT_EQ(walk(kRead).outcome->access, Access::read_write());
}

TEST_F(FourLevels, TakesNoExecuteForReservedWhereItIsNotEnabled) {
  tables.set64(0x4008, 0x8000'0000'0012'3007);
  state.efer &= ~kEferNoExecute;
  EXPECT_EQ(error_code(kRead), 0x9U);
}

TEST_F(FourLevels, KeepsTheSupervisorFromFetchingUserPagesUnderSmep) {
  state.cr4 |= kCr4Smep;
  EXPECT_EQ(error_code(kFetch), 0x11U);
  EXPECT_TRUE(walk(kUserFetch).outcome);
}

TEST_F(FourLevels, KeepsTheSupervisorFromUserDataUnderSmapUnlessAlignmentCheckIsSet) {
  state.cr4 |= kCr4Smap;
  EXPECT_EQ(error_code(kRead), 0x1U);
  EXPECT_EQ(error_code(kWrite), 0x3U);
  EXPECT_TRUE(walk(kFetch).outcome);
  EXPECT_TRUE(walk(kUserRead).outcome);
  state.alignment_check = true;
  EXPECT_TRUE(walk(kWrite).outcome);
}

TEST_F(FourLevels, FindsAddressBitsThatTheCpuDoesNotHave) {
  state.features.physical_address_bits = 40;
  tables.set64(0x3008, 0x100'0000'4007);
  EXPECT_EQ(error_code(kUserWrite), 0xfU);
}

TEST_F(FourLevels, IgnoresReservedBitsOfAnAbsentEntry) {
  state.features.physical_address_bits = 40;
  tables.set64(0x3008, 0x100'0000'4006);
  EXPECT_EQ(error_code(kRead), 0U);
}

TEST_F(FourLevels, MapsTwoMegabytesAndReservesTheBitsBelow) {
  tables.set64(0x3008, 0x4000'1087);
  ASSERT_TRUE(walk(kRead).outcome);
  EXPECT_EQ(walk(kRead).outcome->gpa, GuestPhysAddr(0x4000'1abc));
  EXPECT_EQ(walk(kRead).outcome->page_size, 0x20'0000U);
  tables.set64(0x3008, 0x4000'2087);
  EXPECT_EQ(error_code(kRead), 0x9U);
}

TEST_F(FourLevels, MapsAGigabyteWhereTheCpuCan) {
  tables.set64(0x2008, 0x8000'0087);
  ASSERT_TRUE(walk(kRead).outcome);
  EXPECT_EQ(walk(kRead).outcome->gpa, GuestPhysAddr(0x8020'1abc));
  EXPECT_EQ(walk(kRead).outcome->page_size, 0x4000'0000U);
  state.features.gigabyte_pages = false;
  EXPECT_EQ(error_code(kRead), 0x9U);
}

TEST_F(FourLevels, ReservesThePageSizeFlagOnTop) {
  tables.set64(0x1000 + 255 * 8, 0x2087);
  EXPECT_EQ(error_code(kRead), 0x9U);
}

TEST_F(FourLevels, ReservesBit8OnTopOfAmdTablesOnly) {
  tables.set64(0x1000 + 255 * 8, 0x2107);
  EXPECT_TRUE(walk(kRead).outcome);
  state.features.bit8_reserved_on_top = true;
  EXPECT_EQ(error_code(kRead), 0x9U);
}

TEST_F(FourLevels, NamesTheTableThatIsNotInMemory) {
  tables.set64(0x2008, 0x9007);
  const GuestWalk walk = this->walk(kRead);
  ASSERT_FALSE(walk.outcome);
  EXPECT_EQ(std::get<TableFault>(walk.outcome.error()),
            (TableFault{2, {MemoryFault::Reason::kUnmapped, GuestPhysAddr(0x9008)}}));
  EXPECT_EQ(walk.trace.steps().size(), 2U);
}

TEST_F(FourLevels, RefusesAddressesThatAreNotCanonical) {
  const GuestWalk walk = x86_64::walk(tables, state, GuestVirtAddr(0x8000'0000'0000), kRead);
  ASSERT_FALSE(walk.outcome);
  EXPECT_EQ(std::get<PagingFault>(walk.outcome.error()).kind, PagingFault::Kind::kNotAnAddress);
}

TEST_F(FourLevels, AppliesUserKeysToDataAccessesOfEveryone) {
  tables.set64(0x4008, 0x2800'0000'0012'3007);  // key 5
  state.cr4 |= kCr4UserKeys;
  state.pkru = 1U << 10;  // no access
  EXPECT_EQ(error_code(kRead), 0x21U);
  EXPECT_EQ(error_code(kUserWrite), 0x27U);
  EXPECT_TRUE(walk(kUserFetch).outcome);
  state.pkru = 1U << 11;  // no write
  EXPECT_EQ(error_code(kWrite), 0x23U);
  EXPECT_TRUE(walk(kUserRead).outcome);
  state.cr0 &= ~kCr0WriteProtect;
  EXPECT_TRUE(walk(kWrite).outcome);
  EXPECT_EQ(error_code(kUserWrite), 0x27U);
}

TEST_F(FourLevels, AppliesSupervisorKeysToSupervisorPages) {
  tables.set64(0x4008, 0x2800'0000'0012'3003);
  state.pkrs = 1U << 10;
  EXPECT_TRUE(walk(kRead).outcome);
  state.cr4 |= kCr4SupervisorKeys;
  EXPECT_EQ(error_code(kRead), 0x21U);
}

TEST_F(FourLevels, MarksEveryEntryAccessedAndThePageDirty) {
  ASSERT_TRUE(x86_64::walk(tables, state, kGva, kRead, TableUpdate::kAccessedDirty).outcome);
  EXPECT_EQ(tables.get64(0x1000 + 255 * 8), 0x2027U);
  EXPECT_EQ(tables.get64(0x4008), 0x12'3027U);
  ASSERT_TRUE(x86_64::walk(tables, state, kGva, kWrite, TableUpdate::kAccessedDirty).outcome);
  EXPECT_EQ(tables.get64(0x3008), 0x4027U);
  EXPECT_EQ(tables.get64(0x4008), 0x12'3067U);
  EXPECT_EQ(tables.exchanges(), 5);
}

TEST_F(FourLevels, MarksNothingForAnAccessThatFaults) {
  tables.set64(0x4008, 0x12'3005);
  EXPECT_FALSE(x86_64::walk(tables, state, kGva, kWrite, TableUpdate::kAccessedDirty).outcome);
  EXPECT_EQ(tables.exchanges(), 0);
}

TEST_F(FourLevels, StartsOverWhenAnEntryChangesBeforeItIsMarked) {
  tables.before_exchange([&] { tables.set64(0x4008, 0x45'6007); });
  const GuestWalk walk = x86_64::walk(tables, state, kGva, kRead, TableUpdate::kAccessedDirty);
  ASSERT_TRUE(walk.outcome);
  EXPECT_EQ(walk.outcome->gpa, GuestPhysAddr(0x45'6abc));
  EXPECT_EQ(tables.get64(0x4008), 0x45'6027U);
}

TEST_F(FourLevels, GivesUpOnTablesThatNeverStandStill) {
  std::uint64_t changes = 0;
  tables.before_exchange([&] { tables.set64(0x4008, 0x12'3007 | ++changes << 52); });
  const GuestWalk walk = x86_64::walk(tables, state, kGva, kRead, TableUpdate::kAccessedDirty);
  ASSERT_FALSE(walk.outcome);
  EXPECT_TRUE(std::holds_alternative<TablesChanging>(walk.outcome.error()));
}

TEST_F(FourLevels, ReportsTablesWhoseFlagsCannotBeWritten) {
  tables.refuse_writes();
  const GuestWalk walk = x86_64::walk(tables, state, kGva, kRead, TableUpdate::kAccessedDirty);
  ASSERT_FALSE(walk.outcome);
  EXPECT_EQ(std::get<TableFault>(walk.outcome.error()).cause.reason, MemoryFault::Reason::kDenied);
}

TEST(FiveLevels, TranslateThroughTheFifth) {
  FakeTableMemory tables(0x8000);
  tables.set64(0x1008, 0x2003);
  tables.set64(0x2000, 0x3003);
  tables.set64(0x3000, 0x4003);
  tables.set64(0x4000, 0x5003);
  tables.set64(0x5000, 0x6003);
  PagingState state = long_mode();
  state.cr4 |= kCr4FiveLevels;
  const GuestWalk walk = x86_64::walk(tables, state, GuestVirtAddr(0x1'0000'0000'0123), kWrite);
  ASSERT_TRUE(walk.outcome);
  EXPECT_EQ(walk.outcome->gpa, GuestPhysAddr(0x6123));
  EXPECT_EQ(walk.trace.steps().size(), 5U);
  EXPECT_FALSE(x86_64::walk(tables, state, GuestVirtAddr(0x0100'0000'0000'0000), kRead).outcome);
}

TEST(Pae, TranslatesWithATopLevelThatHasNoRights) {
  FakeTableMemory tables(0x8000);
  PagingState state = pae_mode();
  state.cr3 = 0x1fe0;  // 32-byte aligned, the rest ignored
  tables.set64(0x1fe0 + 3 * 8, 0x2001);
  tables.set64(0x2008, 0x3007);
  tables.set64(0x3010, 0x8000'0001'2345'6007);
  const GuestWalk walk = x86_64::walk(tables, state, GuestVirtAddr(0xc020'2abc), kUserWrite);
  ASSERT_TRUE(walk.outcome);
  EXPECT_EQ(*walk.outcome, (Stage1Page{GuestPhysAddr(0x1'2345'6abc), 4096, Access::read_write()}));
}

TEST(Pae, CallsReservedBitsOfATopEntryAnInvalidCr3) {
  FakeTableMemory tables(0x8000);
  tables.set64(0x1000, 0x2003);
  const GuestWalk walk = x86_64::walk(tables, pae_mode(), GuestVirtAddr(0), kRead);
  ASSERT_FALSE(walk.outcome);
  EXPECT_EQ(std::get<PagingFault>(walk.outcome.error()),
            (PagingFault{PagingFault::Kind::kInvalidTopEntry, 0, 3}));
}

TEST(Pae, ReservesTheBitsAboveTheAddress) {
  FakeTableMemory tables(0x8000);
  tables.set64(0x1000, 0x2001);
  tables.set64(0x2000, 0x4000'0000'0020'0083);  // bit 62
  const GuestWalk walk = x86_64::walk(tables, pae_mode(), GuestVirtAddr(0), kRead);
  ASSERT_FALSE(walk.outcome);
  EXPECT_EQ(std::get<PagingFault>(walk.outcome.error()).error_code, 0x9U);
}

TEST(Legacy, TranslatesFourKilobytePages) {
  FakeTableMemory tables(0x8000);
  tables.set32(0x1000 + 4 * 0x300, 0x2007);
  tables.set32(0x2004, 0x8765'4007);
  const GuestWalk walk =
      x86_64::walk(tables, legacy_mode(), GuestVirtAddr(0xc000'1fff), kUserWrite);
  ASSERT_TRUE(walk.outcome);
  EXPECT_EQ(*walk.outcome, (Stage1Page{GuestPhysAddr(0x8765'4fff), 4096, Access::all()}));
  EXPECT_EQ(walk.trace.steps()[0], (WalkStep{2, GuestPhysAddr(0x1000), 0x300, 4, 0x2007}));
}

TEST(Legacy, PutsTheHighAddressBitsOfALargePageBelow) {
  FakeTableMemory tables(0x8000);
  tables.set32(0x1000, 0x0040'2083);  // bit 13: address bit 32
  PagingState state = legacy_mode();
  const GuestWalk walk = x86_64::walk(tables, state, GuestVirtAddr(0x3f'ffff), kWrite);
  ASSERT_TRUE(walk.outcome);
  EXPECT_EQ(walk.outcome->gpa, GuestPhysAddr(0x1'007f'ffff));
  EXPECT_EQ(walk.outcome->page_size, 0x40'0000U);
  state.features.large_page_address_bits = 32;
  EXPECT_FALSE(x86_64::walk(tables, state, GuestVirtAddr(0), kRead).outcome);
}

TEST(Legacy, ReservesTheBitsOfALargePageAbove40) {
  FakeTableMemory tables(0x8000);
  tables.set32(0x1000, 0x0020'0083);  // bit 21
  EXPECT_FALSE(x86_64::walk(tables, legacy_mode(), GuestVirtAddr(0), kRead).outcome);
}

TEST(Legacy, IgnoresThePageSizeFlagWithoutTheExtension) {
  FakeTableMemory tables(0x8000);
  tables.set32(0x1000, 0x2083);
  tables.set32(0x2000, 0x5003);
  PagingState state = legacy_mode();
  state.cr4 = 0;
  const GuestWalk walk = x86_64::walk(tables, state, GuestVirtAddr(0x123), kRead);
  ASSERT_TRUE(walk.outcome);
  EXPECT_EQ(walk.outcome->gpa, GuestPhysAddr(0x5123));
}

TEST(PagingOff, PassesAddressesThrough) {
  FakeTableMemory tables(0);
  const GuestWalk walk = x86_64::walk(tables, {}, GuestVirtAddr(0xffff'fff0), kFetch);
  ASSERT_TRUE(walk.outcome);
  EXPECT_EQ(walk.outcome->gpa, GuestPhysAddr(0xffff'fff0));
  EXPECT_TRUE(walk.trace.steps().empty());
  EXPECT_FALSE(x86_64::walk(tables, {}, GuestVirtAddr(0x1'0000'0000), kRead).outcome);
}

TEST(PagingFaultText, NamesTheErrorCodeAndTheLevel) {
  EXPECT_EQ(describe(PagingFault{PagingFault::Kind::kPageFault, 0x2, 3}),
            "#PF, error code 0x2 (supervisor write, not present) at level 3");
  EXPECT_EQ(describe(PagingFault{PagingFault::Kind::kPageFault, 0x15, 1}),
            "#PF, error code 0x15 (user fetch, denied) at level 1");
}

}  // namespace
}  // namespace nestling::x86_64
