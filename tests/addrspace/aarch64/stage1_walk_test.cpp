// AArch64 guest walks, one rule a test, with registers and descriptors written as literals.
#include "addrspace/aarch64/stage1_walk.h"

#include <gtest/gtest.h>

#include "tests/support/fake_table_memory.h"

namespace nestling::aarch64 {
namespace {

using Kind = TranslationFault::Kind;

constexpr GuestAccess kRead{AccessKind::kRead, Privilege::kSupervisor};
constexpr GuestAccess kWrite{AccessKind::kWrite, Privilege::kSupervisor};
constexpr GuestAccess kFetch{AccessKind::kExecute, Privilege::kSupervisor};
constexpr GuestAccess kUserRead{AccessKind::kRead, Privilege::kUser};
constexpr GuestAccess kUserWrite{AccessKind::kWrite, Privilege::kUser};
constexpr GuestAccess kUserFetch{AccessKind::kExecute, Privilege::kUser};

/// A page's descriptor: AF, inner shareable, and `rights` in place (AP 7:6, PXN 53, UXN 54).
constexpr std::uint64_t page(std::uint64_t address, std::uint64_t rights) {
  return address | 0x703 | rights;
}
constexpr std::uint64_t kEl1ReadOnly = 0x80;
constexpr std::uint64_t kEl0 = 0x40;
constexpr std::uint64_t kPxn = 1ULL << 53;
constexpr std::uint64_t kUxn = 1ULL << 54;

std::optional<TranslationFault> fault_of(const GuestWalk& walk) {
  if (walk.outcome) {
    return std::nullopt;
  }
  const auto* fault = std::get_if<TranslationFault>(&walk.outcome.error());
  return fault != nullptr ? std::optional(*fault) : std::nullopt;
}

/// Both halves of 48 bits in 4 KiB pages, tables at 0x1000 … 0x4000 for index 1 at every level:
/// address 0x8040201000 below, 0xffff008040201000 above.
struct Granule4K : testing::Test {
  static constexpr GuestVirtAddr kLow{0x80'4020'1abc};
  static constexpr GuestVirtAddr kHigh{0xffff'0080'4020'1abc};
  Granule4K() {
    state.sctlr = 1;
    state.tcr = 16 | 16 << 16 | 2ULL << 30 | 5ULL << 32;  // TG1 4 KiB, IPS 48 bits
    state.ttbr0 = state.ttbr1 = 0x1000;
    tables.set64(0x1008, 0x2003);
    tables.set64(0x2008, 0x3003);
    tables.set64(0x3008, 0x4003);
    tables.set64(0x4008, page(0x12'3000, 0));
  }
  [[nodiscard]] GuestWalk walk(GuestAccess access, GuestVirtAddr gva = kLow) {
    return aarch64::walk(tables, state, gva, access);
  }
  FakeTableMemory tables{0x40000};
  TranslationState state;
};

TEST_F(Granule4K, TranslatesAndTracesEveryDescriptor) {
  const GuestWalk walk = this->walk(kRead);
  ASSERT_TRUE(walk.outcome);
  EXPECT_EQ(*walk.outcome, (Stage1Page{GuestPhysAddr(0x12'3abc), 4096, Access::all()}));
  const auto steps = walk.trace.steps();
  ASSERT_EQ(steps.size(), 4U);
  EXPECT_EQ(steps[0], (WalkStep{0, GuestPhysAddr(0x1000), 1, 8, 0x2003}));
  EXPECT_EQ(steps[3], (WalkStep{3, GuestPhysAddr(0x4000), 1, 8, 0x12'3703}));
}

TEST_F(Granule4K, UsesTheOtherRegisterForTheUpperHalf) {
  state.ttbr0 = 0x3'9000;
  EXPECT_TRUE(walk(kRead, kHigh).outcome);
  EXPECT_EQ(fault_of(walk(kRead)), (TranslationFault{Kind::kTranslation, 0}));
}

TEST_F(Granule4K, FaultsAtLevelZeroBetweenTheHalves) {
  EXPECT_EQ(fault_of(walk(kRead, GuestVirtAddr(0x1'0080'4020'1000))),
            (TranslationFault{Kind::kTranslation, 0}));
  EXPECT_EQ(fault_of(walk(kRead, GuestVirtAddr(0x0100'0080'4020'1000))),
            (TranslationFault{Kind::kTranslation, 0}));
  EXPECT_EQ(fault_of(walk(kRead, GuestVirtAddr(0xfffe'0080'4020'1000))),
            (TranslationFault{Kind::kTranslation, 0}));
}

TEST_F(Granule4K, IgnoresTheTopByteWhereItIsToldToButForFetchesMaybeNot) {
  const GuestVirtAddr tagged(0x5a00'0080'4020'1abc);
  state.tcr |= 1ULL << 37;  // TBI0
  EXPECT_TRUE(walk(kRead, tagged).outcome);
  EXPECT_TRUE(walk(kFetch, tagged).outcome);
  EXPECT_FALSE(walk(kRead, GuestVirtAddr(0x5a01'0080'4020'1abc)).outcome);
  state.tcr |= 1ULL << 51;  // TBID0
  EXPECT_TRUE(walk(kRead, tagged).outcome);
  EXPECT_FALSE(walk(kFetch, tagged).outcome);
  EXPECT_FALSE(walk(kRead, GuestVirtAddr(0x5aff'0080'4020'1abc)).outcome);  // TBI1 is clear
}

TEST_F(Granule4K, WalksNoHalfThatIsDisabled) {
  state.tcr |= 1ULL << 23;  // EPD1
  EXPECT_TRUE(walk(kRead).outcome);
  EXPECT_EQ(fault_of(walk(kRead, kHigh)), (TranslationFault{Kind::kTranslation, 0}));
  state.tcr &=
      ~(3ULL << 30);  // TG1: reserved, and what a kernel without an upper half leaves there
  EXPECT_EQ(fault_of(walk(kRead, kHigh)), (TranslationFault{Kind::kTranslation, 0}));
}

TEST_F(Granule4K, HidesAHalfFromEl0Only) {
  state.tcr |= 1ULL << 55;  // E0PD0
  tables.set64(0x4008, page(0x12'3000, kEl0));
  EXPECT_TRUE(walk(kRead).outcome);
  EXPECT_EQ(fault_of(walk(kUserRead)), (TranslationFault{Kind::kTranslation, 0}));
}

TEST_F(Granule4K, FaultsWithTheLevelOfTheInvalidDescriptor) {
  tables.set64(0x4008, 0x12'3701);  // a block at level 3 is reserved
  EXPECT_EQ(fault_of(walk(kRead)), (TranslationFault{Kind::kTranslation, 3}));
  tables.set64(0x3008, 0x4002);
  EXPECT_EQ(fault_of(walk(kRead)), (TranslationFault{Kind::kTranslation, 2}));
  tables.set64(0x1008, 0x701);  // no 512 GiB blocks without 52 bits
  EXPECT_EQ(fault_of(walk(kRead)), (TranslationFault{Kind::kTranslation, 0}));
}

TEST_F(Granule4K, MapsBlocksAtLevelsOneAndTwo) {
  tables.set64(0x3008, 0x4000'0701);
  ASSERT_TRUE(walk(kRead).outcome);
  EXPECT_EQ(walk(kRead).outcome->gpa, GuestPhysAddr(0x4000'1abc));
  EXPECT_EQ(walk(kRead).outcome->page_size, 0x20'0000U);
  tables.set64(0x2008, 0x8000'0701);
  EXPECT_EQ(walk(kRead).outcome->gpa, GuestPhysAddr(0x8020'1abc));
  EXPECT_EQ(walk(kRead).outcome->page_size, 0x4000'0000U);
}

TEST_F(Granule4K, ChecksEveryOutputAddressAgainstItsSize) {
  state.tcr = (state.tcr & ~(7ULL << 32)) | 1ULL << 32;  // IPS 36 bits
  tables.set64(0x4008, page(0x10'0000'0000, 0));
  EXPECT_EQ(fault_of(walk(kRead)), (TranslationFault{Kind::kAddressSize, 3}));
  tables.set64(0x2008, 0x80'0000'3003);
  EXPECT_EQ(fault_of(walk(kRead)), (TranslationFault{Kind::kAddressSize, 1}));
  state.ttbr0 = 0x10'0000'1000;
  EXPECT_EQ(fault_of(walk(kRead)), (TranslationFault{Kind::kAddressSize, 0}));
}

TEST_F(Granule4K, IsLimitedByTheCpusOwnAddressSize) {
  state.features.physical_address_bits = 40;
  tables.set64(0x4008, page(0x100'0000'0000, 0));
  EXPECT_EQ(fault_of(walk(kRead)), (TranslationFault{Kind::kAddressSize, 3}));
}

TEST_F(Granule4K, FaultsOnAClearAccessFlagBeforeItLooksAtRights) {
  tables.set64(0x4008, 0x12'3303 | kEl1ReadOnly);
  EXPECT_EQ(fault_of(walk(kWrite)), (TranslationFault{Kind::kAccessFlag, 3}));
}

TEST_F(Granule4K, GivesEl0WhatTheUserBitAndUxnSay) {
  EXPECT_EQ(fault_of(walk(kUserRead)), (TranslationFault{Kind::kPermission, 3}));
  EXPECT_EQ(walk(kUserFetch).outcome->access, Access::execute());  // execute-only
  tables.set64(0x4008, page(0x12'3000, kEl0 | kUxn));
  EXPECT_EQ(walk(kUserRead).outcome->access, Access::read_write());
  tables.set64(0x4008, page(0x12'3000, kEl0 | kEl1ReadOnly));
  EXPECT_EQ(walk(kUserRead).outcome->access, Access::read() | Access::execute());
}

TEST_F(Granule4K, NeverLetsEl1ExecuteWhatEl0CanWrite) {
  tables.set64(0x4008, page(0x12'3000, kEl0));
  EXPECT_EQ(fault_of(walk(kFetch)), (TranslationFault{Kind::kPermission, 3}));
  EXPECT_TRUE(walk(kUserFetch).outcome);
}

TEST_F(Granule4K, NeverExecutesWhatIsWritableUnderWxn) {
  state.sctlr |= kSctlrWxn;
  EXPECT_EQ(walk(kRead).outcome->access, Access::read_write());
  tables.set64(0x4008, page(0x12'3000, kEl1ReadOnly));
  EXPECT_EQ(walk(kRead).outcome->access, Access::read() | Access::execute());
  tables.set64(0x4008, page(0x12'3000, kEl0));
  EXPECT_EQ(walk(kUserRead).outcome->access, Access::read_write());
}

TEST_F(Granule4K, AppliesTableAttributesUnlessTheyAreDisabled) {
  tables.set64(0x4008, page(0x12'3000, kEl0));
  tables.set64(0x2008, 0x3003 | 3ULL << 61 | 3ULL << 59);  // no EL0, read-only, no execution
  EXPECT_EQ(walk(kRead).outcome->access, Access::read());
  EXPECT_FALSE(walk(kUserRead).outcome);
  EXPECT_FALSE(walk(kUserFetch).outcome);
  state.tcr |= 1ULL << 41;  // HPD0
  EXPECT_EQ(walk(kRead).outcome->access, Access::read_write());
  EXPECT_EQ(walk(kUserRead).outcome->access, Access::all());
}

TEST_F(Granule4K, KeepsEl1FromUserDataUnderPan) {
  tables.set64(0x4008, page(0x12'3000, kEl0 | kEl1ReadOnly));
  state.pan = true;
  EXPECT_EQ(fault_of(walk(kRead)), (TranslationFault{Kind::kPermission, 3}));
  EXPECT_EQ(walk(kFetch).outcome->access, Access::execute());
  EXPECT_TRUE(walk(kUserRead).outcome);
}

TEST_F(Granule4K, CountsExecuteOnlyPagesAsUsersUnderEpan) {
  state.pan = true;
  EXPECT_TRUE(walk(kRead).outcome);
  state.sctlr |= kSctlrEpan;
  EXPECT_EQ(fault_of(walk(kRead)), (TranslationFault{Kind::kPermission, 3}));
  tables.set64(0x4008, page(0x12'3000, kUxn | kPxn));
  EXPECT_TRUE(walk(kRead).outcome);
}

TEST_F(Granule4K, SetsTheAccessFlagWhereTheCpuDoes) {
  tables.set64(0x4008, 0x12'3303);
  state.tcr |= kTcrHardwareAccess;
  EXPECT_FALSE(walk(kRead).outcome);  // the CPU has no such thing
  state.features.hardware_flags = true;
  ASSERT_TRUE(walk(kRead).outcome);
  EXPECT_EQ(tables.exchanges(), 0);
  ASSERT_TRUE(aarch64::walk(tables, state, kLow, kRead, TableUpdate::kAccessedDirty).outcome);
  EXPECT_EQ(tables.get64(0x4008), 0x12'3703U);
}

TEST_F(Granule4K, MakesACleanPageWritableWhereTheCpuTracksDirt) {
  const std::uint64_t clean = page(0x12'3000, kEl1ReadOnly | 1ULL << 51);
  tables.set64(0x4008, clean);
  state.features.hardware_flags = true;
  state.tcr |= kTcrHardwareAccess;
  EXPECT_FALSE(walk(kWrite).outcome);
  state.tcr |= kTcrHardwareDirty;
  ASSERT_TRUE(aarch64::walk(tables, state, kLow, kRead, TableUpdate::kAccessedDirty).outcome);
  EXPECT_EQ(tables.get64(0x4008), clean);
  ASSERT_TRUE(aarch64::walk(tables, state, kLow, kWrite, TableUpdate::kAccessedDirty).outcome);
  EXPECT_EQ(tables.get64(0x4008), clean & ~kEl1ReadOnly);
}

TEST_F(Granule4K, StartsAtTheLevelTheSizeAsksFor) {
  state.tcr = (state.tcr & ~0x3fULL) | 34;  // 30 bits: level 2, 512 entries
  state.ttbr0 = 0x3000;
  const GuestWalk walk = this->walk(kRead, GuestVirtAddr(0x20'1abc));
  ASSERT_TRUE(walk.outcome);
  EXPECT_EQ(walk.trace.steps().size(), 2U);
  EXPECT_FALSE(this->walk(kRead, GuestVirtAddr(0x4020'1abc)).outcome);
}

TEST_F(Granule4K, AlignsASmallFirstTableToItsOwnSize) {
  state.tcr = (state.tcr & ~0x3fULL) | 32;  // 32 bits: level 1, 4 entries, 32 bytes
  state.ttbr0 = 0x2000 | 0x1f;              // low bits are not address
  EXPECT_TRUE(walk(kRead, GuestVirtAddr(0x4020'1abc)).outcome);
}

TEST_F(Granule4K, FaultsOnSizesTheCpuDoesNotHave) {
  state.tcr = (state.tcr & ~0x3fULL) | 12;
  EXPECT_EQ(fault_of(walk(kRead)), (TranslationFault{Kind::kTranslation, 0}));
  state.tcr = (state.tcr & ~0x3fULL) | 40;
  EXPECT_FALSE(walk(kRead, GuestVirtAddr(0x1000)).outcome);
}

TEST_F(Granule4K, RefusesWhatItDoesNotWalk) {
  state.sctlr |= kSctlrBigEndian;
  EXPECT_EQ(fault_of(walk(kRead))->kind, Kind::kUnsupportedState);
  state.sctlr &= ~kSctlrBigEndian;
  state.tcr |= 3ULL << 14;
  EXPECT_EQ(fault_of(walk(kRead))->kind, Kind::kUnsupportedState);
  EXPECT_TRUE(walk(kRead, kHigh).outcome);
}

TEST_F(Granule4K, ReachesBeyond48BitsThroughALevelBelowZero) {
  state.features.lpa2 = true;
  state.features.physical_address_bits = 52;
  state.tcr = 12 | 16 << 16 | 2ULL << 30 | 6ULL << 32 | kTcrDescriptor52;
  state.ttbr0 = 0x8000;
  tables.set64(0x8008, 0x1003);                 // level -1, 16 entries
  tables.set64(0x4008, 0x0001'0000'0012'3603);  // bits 48 and, as bit 9, 51
  const GuestWalk walk = this->walk(kRead, GuestVirtAddr(0x1'0080'4020'1abc));
  ASSERT_TRUE(walk.outcome);
  EXPECT_EQ(walk.outcome->gpa, GuestPhysAddr(0x9'0000'0012'3abc));
  EXPECT_EQ(walk.trace.steps()[0], (WalkStep{-1, GuestPhysAddr(0x8000), 1, 8, 0x1003}));
  tables.set64(0x8008, 0);
  EXPECT_EQ(status_code(*fault_of(this->walk(kRead, GuestVirtAddr(0x1'0080'4020'1abc)))), 0x2b);
}

TEST(Granule16K, TranslatesPagesAndBlocks) {
  FakeTableMemory tables(0x20000);
  TranslationState state;
  state.sctlr = 1;
  state.tcr = 17 | 2 << 14 | 5ULL << 32;  // 47 bits: level 1
  state.ttbr0 = 0x4000;
  tables.set64(0x4008, 0x8003);
  tables.set64(0x8008, 0xc003);
  tables.set64(0xc008, 0x7'4703);
  const GuestVirtAddr gva((1ULL << 36) + (1ULL << 25) + (1ULL << 14) + 0x2abc);
  const GuestWalk page = walk(tables, state, gva, kRead);
  ASSERT_TRUE(page.outcome);
  EXPECT_EQ(page.outcome->gpa, GuestPhysAddr(0x7'6abc));
  EXPECT_EQ(page.outcome->page_size, 0x4000U);
  EXPECT_EQ(page.trace.steps().size(), 3U);
  tables.set64(0x8008, 0x200'0701);
  const GuestWalk block = walk(tables, state, gva, kRead);
  ASSERT_TRUE(block.outcome);
  EXPECT_EQ(block.outcome->gpa, GuestPhysAddr(0x200'6abc));
  EXPECT_EQ(block.outcome->page_size, 0x200'0000U);
  tables.set64(0x4008, 0x701);
  EXPECT_EQ(fault_of(walk(tables, state, gva, kRead)), (TranslationFault{Kind::kTranslation, 1}));
}

TEST(Granule64K, TranslatesWithHighAddressBitsBelow) {
  FakeTableMemory tables(0x40000);
  TranslationState state;
  state.sctlr = 1;
  state.features.physical_address_bits = 52;
  state.features.lva = true;
  state.tcr = 12 | 1 << 14 | 6ULL << 32;  // 52 bits: level 1, 1024 entries
  state.ttbr0 = 0x1'0000;
  tables.set64(0x1'0008, 0x2'0003);
  tables.set64(0x2'0008, 0x3'0003);
  tables.set64(0x3'0008, 0x5'0703 | 0xf000);
  const GuestVirtAddr gva((1ULL << 42) + (1ULL << 29) + (1ULL << 16) + 0xabcd);
  const GuestWalk page = walk(tables, state, gva, kRead);
  ASSERT_TRUE(page.outcome);
  EXPECT_EQ(page.outcome->gpa, GuestPhysAddr(0xf'0000'0005'abcd));
  EXPECT_EQ(page.outcome->page_size, 0x1'0000U);
  tables.set64(0x1'0008, 0x701);  // a 4 TiB block
  EXPECT_EQ(walk(tables, state, gva, kRead).outcome->page_size, 1ULL << 42);
  state.tcr = 12 | 1 << 14 | 5ULL << 32;
  tables.set64(0x1'0008, 0x1701);
  EXPECT_EQ(fault_of(walk(tables, state, gva, kRead)), (TranslationFault{Kind::kAddressSize, 1}));
}

TEST(MmuOff, PassesAddressesThroughAsFarAsThereAreAny) {
  FakeTableMemory tables(0);
  const TranslationState state;
  EXPECT_EQ(walk(tables, state, GuestVirtAddr(0x8000'0000), kFetch).outcome->gpa,
            GuestPhysAddr(0x8000'0000));
  EXPECT_EQ(fault_of(walk(tables, state, GuestVirtAddr(0x1'0000'0000'0000), kRead)),
            (TranslationFault{Kind::kAddressSize, 0}));
}

TEST(FaultStatus, EncodesKindAndLevel) {
  EXPECT_EQ(status_code({Kind::kAddressSize, 0}), 0x00);
  EXPECT_EQ(status_code({Kind::kTranslation, 0}), 0x04);
  EXPECT_EQ(status_code({Kind::kTranslation, 3}), 0x07);
  EXPECT_EQ(status_code({Kind::kAccessFlag, 2}), 0x0a);
  EXPECT_EQ(status_code({Kind::kPermission, 1}), 0x0d);
  EXPECT_EQ(status_code({Kind::kAddressSize, -1}), 0x29);
  EXPECT_EQ(describe({Kind::kPermission, 2}), "permission fault at level 2, status 0xe");
}

TEST(FaultStatus, MakesTheSyndromeAKernelWouldRead) {
  EXPECT_EQ(syndrome({Kind::kTranslation, 3}, kRead), 0x9600'0007U);
  EXPECT_EQ(syndrome({Kind::kPermission, 3}, kUserWrite), 0x9200'004fU);
  EXPECT_EQ(syndrome({Kind::kTranslation, 0}, kFetch), 0x8600'0004U);
  EXPECT_EQ(syndrome({Kind::kTranslation, 1}, kUserFetch), 0x8200'0005U);
}

}  // namespace
}  // namespace nestling::aarch64
