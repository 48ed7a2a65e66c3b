// Two-stage walks: whose page, whose rights, and which stage stopped.
#include "addrspace/translate_virt.h"

#include <gtest/gtest.h>

#include "tests/support/fake_stage2.h"

namespace nestling {
namespace {

using Reason = Stage2Fault::Reason;

constexpr GuestAccess kRead{AccessKind::kRead, Privilege::kSupervisor};
constexpr GuestAccess kWrite{AccessKind::kWrite, Privilege::kSupervisor};

/// A long-mode guest with tables at guest-physical 0x1000, 0x2000, 0x3000, 0x4000 for address
/// 0x7f8040201abc and its page at 0x5000; all of them elsewhere in the host, in another order.
struct TwoStages : testing::Test {
  static constexpr GuestVirtAddr kGva{0x7f80'4020'1abc};
  TwoStages() {
    state.cr0 = 0x8001'0001;
    state.cr3 = 0x1000;
    state.cr4 = 0x20;
    state.efer = 0xd00;
    stage2.map(0x1000, 0x7000, Access::read_write());
    stage2.map(0x2000, 0x3000, Access::read_write());
    stage2.map(0x3000, 0x6000, Access::read_write());
    stage2.map(0x4000, 0x1000, Access::read_write());
    stage2.map(0x5000, 0x2000, Access::all());
    stage2.set64(0x7000 + 255 * 8, 0x2003);
    stage2.set64(0x3008, 0x3003);
    stage2.set64(0x6008, 0x4003);
    stage2.set64(0x1008, 0x5003);
  }
  [[nodiscard]] auto translate(GuestAccess access) {
    return translate_virt(stage2, state, kGva, access);
  }
  [[nodiscard]] Stage2Stop stop(GuestAccess access, TableUpdate update = TableUpdate::kNone) {
    const auto both = translate_virt(stage2, state, kGva, access, update);
    if (both.outcome) {
      ADD_FAILURE() << "translated";
      return {};
    }
    return std::get<Stage2Stop>(both.outcome.error());
  }
  FakeStage2 stage2{0x8000};
  x86_64::PagingState state;
};

TEST_F(TwoStages, GiveBothAddresses) {
  const auto both = translate(kRead);
  ASSERT_TRUE(both.outcome);
  EXPECT_EQ(*both.outcome,
            (VirtPage{GuestPhysAddr(0x5abc), HostPhysAddr(0x2abc), 4096, 4096, Access::all()}));
  EXPECT_EQ(both.trace.steps().size(), 4U);
}

TEST_F(TwoStages, GiveTheRightsThatBothGive) {
  stage2.map(0x5000, 0x2000, Access::read() | Access::execute());
  EXPECT_EQ(translate(kRead).outcome->access, Access::read() | Access::execute());
  stage2.set64(0x1008, 0x8000'0000'0000'5003);
  EXPECT_EQ(translate(kRead).outcome->access, Access::read());
}

TEST_F(TwoStages, GiveTheSmallerPage) {
  stage2.set64(0x6008, 0x20'0083);  // 2 MiB of guest-physical memory
  stage2.map(0x20'1000, 0x5000, Access::all());
  const auto both = translate(kWrite);
  ASSERT_TRUE(both.outcome);
  EXPECT_EQ(both.outcome->stage1_page_size, 0x20'0000U);
  EXPECT_EQ(both.outcome->stage2_page_size, 0x1000U);
  EXPECT_EQ(both.outcome->page_size(), 0x1000U);
  EXPECT_EQ(both.outcome->hpa, HostPhysAddr(0x5abc));
}

TEST_F(TwoStages, LetTheGuestsFaultComeFirst) {
  stage2.map(0x5000, 0x2000, Access::read());
  stage2.set64(0x1008, 0x5001);
  const auto both = translate(kWrite);
  ASSERT_FALSE(both.outcome);
  EXPECT_EQ(std::get<x86_64::PagingFault>(both.outcome.error()).error_code, 0x3U);
  EXPECT_FALSE(both.stage1);
}

TEST_F(TwoStages, SayThatStage2DeniedTheAccessItself) {
  stage2.map(0x5000, 0x2000, Access::read());
  EXPECT_EQ(stop(kWrite),
            (Stage2Stop{{Reason::kDenied, GuestPhysAddr(0x5abc), Access::write()}, std::nullopt}));
  EXPECT_EQ(translate(kWrite).stage1->gpa, GuestPhysAddr(0x5abc));
}

TEST_F(TwoStages, PassOnWhyStage2HasNoPage) {
  for (const Reason reason : {Reason::kNoArea, Reason::kNotPopulated, Reason::kOutsideSpace}) {
    stage2.unmap(0x5000, reason);
    EXPECT_EQ(stop(kRead),
              (Stage2Stop{{reason, GuestPhysAddr(0x5abc), Access::read()}, std::nullopt}));
  }
}

TEST_F(TwoStages, NameTheLevelWhoseTableStage2Withholds) {
  stage2.unmap(0x3000, Reason::kNotPopulated);
  EXPECT_EQ(
      stop(kWrite),
      (Stage2Stop{{Reason::kNotPopulated, GuestPhysAddr(0x3008), Access::read()}, std::int8_t{2}}));
  stage2.map(0x3000, 0x6000, Access::write());
  EXPECT_EQ(stop(kWrite).fault.reason, Reason::kDenied);
}

TEST_F(TwoStages, MarkTablesOnlyWhereStage2LetsThem) {
  stage2.map(0x4000, 0x1000, Access::read());
  EXPECT_EQ(
      stop(kWrite, TableUpdate::kAccessedDirty),
      (Stage2Stop{{Reason::kDenied, GuestPhysAddr(0x4008), Access::read_write()}, std::int8_t{1}}));
  stage2.map(0x4000, 0x1000, Access::read_write());
  ASSERT_TRUE(translate_virt(stage2, state, kGva, kWrite, TableUpdate::kAccessedDirty).outcome);
  EXPECT_EQ(stage2.get64(0x1008), 0x5063U);
}

TEST_F(TwoStages, TranslateWithPagingOff) {
  const auto both = translate_virt(stage2, x86_64::PagingState{}, GuestVirtAddr(0x2008), kRead);
  ASSERT_TRUE(both.outcome);
  EXPECT_EQ(both.outcome->hpa, HostPhysAddr(0x3008));
  EXPECT_EQ(both.outcome->page_size(), 0x1000U);
}

TEST(TwoStagesOnArm, WalkTheGuestsTablesToo) {
  FakeStage2 stage2(0x8000);
  stage2.map(0x4000'1000, 0x3000, Access::read_write());
  stage2.map(0x4020'0000, 0x5000, Access::read());
  stage2.set64(0x3008, 0x4020'0701);
  aarch64::TranslationState state;
  state.sctlr = 1;
  state.tcr = 34 | 5ULL << 32;
  state.ttbr0 = 0x4000'1000;
  const auto both = translate_virt(stage2, state, GuestVirtAddr(0x20'0123), kRead);
  ASSERT_TRUE(both.outcome);
  EXPECT_EQ(*both.outcome, (VirtPage{GuestPhysAddr(0x4020'0123), HostPhysAddr(0x5123), 0x20'0000,
                                     0x1000, Access::read()}));
  const auto fault = translate_virt(stage2, state, GuestVirtAddr(0x40'0000), kRead);
  ASSERT_FALSE(fault.outcome);
  EXPECT_EQ(aarch64::status_code(std::get<aarch64::TranslationFault>(fault.outcome.error())), 6);
}

TEST(TwoStagesOnRiscv, WalkTheGuestsTablesToo) {
  FakeStage2 stage2(0x8000);
  stage2.map(0x8000'1000, 0x3000, Access::read_write());
  stage2.map(0x8000'0000, 0x5000, Access::all());
  stage2.set64(0x3010, 0x8000'0000 >> 2 | 0xcb);
  riscv64::TranslationState state;
  state.satp = 8ULL << 60 | 0x8'0001;
  const auto both = translate_virt(stage2, state, GuestVirtAddr(0x8000'0456), kRead);
  ASSERT_TRUE(both.outcome);
  EXPECT_EQ(*both.outcome, (VirtPage{GuestPhysAddr(0x8000'0456), HostPhysAddr(0x5456), 1ULL << 30,
                                     0x1000, Access::read() | Access::execute()}));
  EXPECT_FALSE(translate_virt(stage2, state, GuestVirtAddr(0x8000'0456), kWrite).outcome);
}

}  // namespace
}  // namespace nestling
