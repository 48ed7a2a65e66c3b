// RISC-V guest walks, one rule a test, with registers and entries written as literals.
#include "addrspace/riscv64/stage1_walk.h"

#include <gtest/gtest.h>

#include "tests/support/fake_table_memory.h"

namespace nestling::riscv64 {
namespace {

using Kind = TranslationFault::Kind;

constexpr GuestAccess kRead{AccessKind::kRead, Privilege::kSupervisor};
constexpr GuestAccess kWrite{AccessKind::kWrite, Privilege::kSupervisor};
constexpr GuestAccess kFetch{AccessKind::kExecute, Privilege::kSupervisor};
constexpr GuestAccess kUserRead{AccessKind::kRead, Privilege::kUser};
constexpr GuestAccess kUserWrite{AccessKind::kWrite, Privilege::kUser};
constexpr GuestAccess kUserFetch{AccessKind::kExecute, Privilege::kUser};

/// An entry for the page or table at `address`.
constexpr std::uint64_t entry(std::uint64_t address, std::uint64_t flags) {
  return address >> 2 | flags;
}

/// Sv39 with tables at 0x1000, 0x2000, 0x3000 for index 1 at every level.
struct Sv39 : testing::Test {
  static constexpr GuestVirtAddr kGva{0x4020'1abc};
  Sv39() {
    state.satp = 8ULL << 60 | 0x1;
    tables.set64(0x1008, entry(0x2000, 0x01));
    tables.set64(0x2008, entry(0x3000, 0x01));
    set_leaf(0xcf);  // D A X W R V
  }
  void set_leaf(std::uint64_t flags) { tables.set64(0x3008, entry(0x8012'3000, flags)); }
  [[nodiscard]] GuestWalk walk(GuestAccess access, GuestVirtAddr gva = kGva) {
    return riscv64::walk(tables, state, gva, access);
  }
  [[nodiscard]] TranslationFault fault(GuestAccess access, GuestVirtAddr gva = kGva) {
    const GuestWalk walk = this->walk(access, gva);
    if (walk.outcome) {
      ADD_FAILURE() << "translated";
      return {};
    }
    return std::get<TranslationFault>(walk.outcome.error());
  }
  FakeTableMemory tables{0x8000};
  TranslationState state;
};

TEST_F(Sv39, TranslatesAndTracesEveryEntry) {
  const GuestWalk walk = this->walk(kRead);
  ASSERT_TRUE(walk.outcome);
  EXPECT_EQ(*walk.outcome, (Stage1Page{GuestPhysAddr(0x8012'3abc), 4096, Access::all()}));
  const auto steps = walk.trace.steps();
  ASSERT_EQ(steps.size(), 3U);
  EXPECT_EQ(steps[0], (WalkStep{2, GuestPhysAddr(0x1000), 1, 8, 0x801}));
  EXPECT_EQ(steps[2], (WalkStep{0, GuestPhysAddr(0x3000), 1, 8, 0x2004'8ccf}));
}

TEST_F(Sv39, NamesTheCauseByTheAccess) {
  set_leaf(0xce);
  EXPECT_EQ(fault(kFetch), (TranslationFault{Kind::kInvalid, 12, 0}));
  EXPECT_EQ(fault(kRead), (TranslationFault{Kind::kInvalid, 13, 0}));
  EXPECT_EQ(fault(kUserWrite), (TranslationFault{Kind::kInvalid, 15, 0}));
}

TEST_F(Sv39, WantsTheUpperBitsToRepeatBit38) {
  EXPECT_EQ(fault(kRead, GuestVirtAddr(0x40'0000'0000)),
            (TranslationFault{Kind::kNotAnAddress, 13, 2}));
  EXPECT_EQ(fault(kRead, GuestVirtAddr(0xffff'ffc0'0000'0000)).kind, Kind::kInvalid);
}

TEST_F(Sv39, KnowsTheReservedEncodings) {
  for (const std::uint64_t flags : {0xc5ULL, 0xcdULL}) {  // W without R
    set_leaf(flags);
    EXPECT_EQ(fault(kRead).kind, Kind::kReserved) << flags;
  }
  set_leaf(0x01);  // a pointer where no level is left
  EXPECT_EQ(fault(kRead), (TranslationFault{Kind::kReserved, 13, 0}));
  for (unsigned bit = 54; bit < 64; ++bit) {
    set_leaf(0xcf | 1ULL << bit);
    EXPECT_EQ(fault(kRead).kind, Kind::kReserved) << bit;
  }
  for (const unsigned bit : {4U, 6U, 7U, 54U, 61U, 62U, 63U}) {
    tables.set64(0x2008, entry(0x3000, 0x01 | 1ULL << bit));
    EXPECT_EQ(fault(kRead), (TranslationFault{Kind::kReserved, 13, 1})) << bit;
  }
}

TEST_F(Sv39, MapsSuperpagesThatAreAligned) {
  tables.set64(0x2008, entry(0x4020'0000, 0xcf));
  EXPECT_EQ(walk(kRead).outcome->gpa, GuestPhysAddr(0x4020'1abc));
  EXPECT_EQ(walk(kRead).outcome->page_size, 0x20'0000U);
  tables.set64(0x2008, entry(0x4020'1000, 0xcf));
  EXPECT_EQ(fault(kRead), (TranslationFault{Kind::kReserved, 13, 1}));
  tables.set64(0x1008, entry(0x8000'0000, 0xcf));
  EXPECT_EQ(walk(kRead).outcome->gpa, GuestPhysAddr(0x8020'1abc));
  EXPECT_EQ(walk(kRead).outcome->page_size, 0x4000'0000U);
  tables.set64(0x1008, entry(0x8020'0000, 0xcf));
  EXPECT_EQ(fault(kRead), (TranslationFault{Kind::kReserved, 13, 2}));
}

TEST_F(Sv39, SeparatesUsersFromTheSupervisor) {
  EXPECT_EQ(fault(kUserRead).kind, Kind::kPermission);
  EXPECT_EQ(fault(kUserFetch).kind, Kind::kPermission);
  set_leaf(0xdf);
  EXPECT_EQ(walk(kUserRead).outcome->access, Access::all());
  EXPECT_EQ(fault(kRead).kind, Kind::kPermission);
  state.sstatus = kStatusSum;
  EXPECT_EQ(walk(kRead).outcome->access, Access::read_write());
  EXPECT_EQ(fault(kFetch), (TranslationFault{Kind::kPermission, 12, 0}));
}

TEST_F(Sv39, ReadsExecutablePagesOnlyWithMxr) {
  set_leaf(0xc9);
  EXPECT_EQ(fault(kRead).kind, Kind::kPermission);
  EXPECT_EQ(walk(kFetch).outcome->access, Access::execute());
  state.sstatus = kStatusMxr;
  EXPECT_EQ(walk(kRead).outcome->access, Access::read() | Access::execute());
  EXPECT_EQ(fault(kWrite).kind, Kind::kPermission);
}

TEST_F(Sv39, FaultsOnClearFlagsWhereTheHartDoesNotSetThem) {
  set_leaf(0x4f);
  EXPECT_EQ(walk(kRead).outcome->access, Access::read() | Access::execute());
  EXPECT_EQ(fault(kWrite), (TranslationFault{Kind::kFlags, 15, 0}));
  set_leaf(0x8f);
  EXPECT_EQ(fault(kRead).kind, Kind::kFlags);
}

TEST_F(Sv39, SetsFlagsWhereTheHartDoes) {
  state.features.hardware_flags = true;
  set_leaf(0x0f);
  EXPECT_EQ(walk(kWrite).outcome->access, Access::all());
  ASSERT_TRUE(riscv64::walk(tables, state, kGva, kRead, TableUpdate::kAccessedDirty).outcome);
  EXPECT_EQ(tables.get64(0x3008) & 0xff, 0x4fU);
  ASSERT_TRUE(riscv64::walk(tables, state, kGva, kWrite, TableUpdate::kAccessedDirty).outcome);
  EXPECT_EQ(tables.get64(0x3008) & 0xff, 0xcfU);
  EXPECT_EQ(tables.get64(0x2008), 0xc01U);
}

TEST_F(Sv39, KnowsMemoryTypesAndContiguousPagesOnlyAsExtensions) {
  set_leaf(0xcf | 1ULL << 61);
  EXPECT_EQ(fault(kRead).kind, Kind::kReserved);
  state.features.svpbmt = true;
  EXPECT_TRUE(walk(kRead).outcome);
  set_leaf(0xcf | 3ULL << 61);
  EXPECT_EQ(fault(kRead).kind, Kind::kReserved);

  tables.set64(0x3008, entry(0x8012'8000, 0xcf | 1ULL << 63));
  EXPECT_EQ(fault(kRead).kind, Kind::kReserved);
  state.features.svnapot = true;
  EXPECT_EQ(walk(kRead).outcome->gpa, GuestPhysAddr(0x8012'1abc));
  EXPECT_EQ(walk(kRead).outcome->page_size, 0x1'0000U);
  for (const std::uint64_t other_size : {0x8012'4000ULL, 0x8012'0000ULL, 0x8012'9000ULL}) {
    tables.set64(0x3008, entry(other_size, 0xcf | 1ULL << 63));
    EXPECT_EQ(fault(kRead).kind, Kind::kReserved) << other_size;
  }
}

TEST_F(Sv39, NamesTheTableThatIsNotInMemory) {
  tables.set64(0x1008, entry(0x9000, 0x01));
  const GuestWalk walk = this->walk(kRead);
  ASSERT_FALSE(walk.outcome);
  EXPECT_EQ(std::get<TableFault>(walk.outcome.error()),
            (TableFault{1, {MemoryFault::Reason::kUnmapped, GuestPhysAddr(0x9008)}}));
}

TEST(Sv57, WalksFiveLevels) {
  FakeTableMemory tables(0x8000);
  TranslationState state;
  state.satp = 10ULL << 60 | 0xffffULL << 44 | 0x1;  // the ASID is not address
  for (std::uint64_t level = 0; level < 4; ++level) {
    tables.set64(0x1008 + level * 0x1000, entry(0x2000 + level * 0x1000, 0x01));
  }
  tables.set64(0x5008, entry(0xff'ffff'ffff'f000, 0xcf));
  const GuestWalk walk = riscv64::walk(tables, state, GuestVirtAddr(0x1'0080'4020'1abc), kWrite);
  ASSERT_TRUE(walk.outcome);
  EXPECT_EQ(walk.outcome->gpa, GuestPhysAddr(0xff'ffff'ffff'fabc));
  EXPECT_EQ(walk.trace.steps()[0].level, 4);
}

TEST(Sv48, WalksFourLevels) {
  FakeTableMemory tables(0x8000);
  TranslationState state;
  state.satp = 9ULL << 60 | 0x1;
  tables.set64(0x1008, entry(0x80'0000'0000, 0xcf));
  const GuestWalk walk = riscv64::walk(tables, state, GuestVirtAddr(0x80'4020'1abc), kRead);
  ASSERT_TRUE(walk.outcome);
  EXPECT_EQ(*walk.outcome, (Stage1Page{GuestPhysAddr(0x80'4020'1abc), 1ULL << 39, Access::all()}));
}

TEST(Bare, PassesAddressesThroughUpTo56Bits) {
  FakeTableMemory tables(0);
  EXPECT_EQ(walk(tables, {}, GuestVirtAddr(0xff'ffff'ffff'ffff), kRead).outcome->gpa,
            GuestPhysAddr(0xff'ffff'ffff'ffff));
  const GuestWalk beyond = walk(tables, {}, GuestVirtAddr(0x100'0000'0000'0000), kWrite);
  ASSERT_FALSE(beyond.outcome);
  EXPECT_EQ(std::get<TranslationFault>(beyond.outcome.error()),
            (TranslationFault{Kind::kOutOfRange, 7, 0}));
}

TEST(ReservedMode, IsNotWalked) {
  FakeTableMemory tables(0x1000);
  TranslationState state;
  state.satp = 1ULL << 60;
  const GuestWalk walk = riscv64::walk(tables, state, GuestVirtAddr(0), kRead);
  ASSERT_FALSE(walk.outcome);
  EXPECT_EQ(std::get<TranslationFault>(walk.outcome.error()).kind, Kind::kBadMode);
}

TEST(RiscvFaultText, NamesTheAccessTheReasonAndTheLevel) {
  EXPECT_EQ(describe(TranslationFault{Kind::kInvalid, 15, 1}),
            "store page fault (not valid) at level 1");
  EXPECT_EQ(describe(TranslationFault{Kind::kOutOfRange, 1, 0}),
            "instruction access fault (beyond 56 bits) at level 0");
}

}  // namespace
}  // namespace nestling::riscv64
