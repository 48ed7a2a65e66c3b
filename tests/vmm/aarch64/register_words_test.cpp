// Registers, descriptors and KVM's numbers for them, as words and literals.
#include "vmm/aarch64/register_words.h"

#include <gtest/gtest.h>

#include "vmm/aarch64/cpu_state.h"
#include "vmm/aarch64/register_id.h"

namespace nestling::aarch64 {
namespace {

TEST(RegisterWords, OfPstateBeginWithTheMode) {
  EXPECT_EQ(describe_pstate(0x3c5), "EL1h DAIF masked");
  EXPECT_EQ(describe_pstate(0x6000'0004), "EL1t ZC");
  EXPECT_EQ(describe_pstate(0x8000'0080), "EL0t I masked N");
  EXPECT_EQ(describe_pstate(0x40'0005), "EL1h PAN");
  EXPECT_EQ(describe_pstate(0x0000'0010), "AArch32");
}

TEST(RegisterWords, OfSctlrAreTheManualsMnemonics) {
  EXPECT_EQ(sctlr_flags(0x30d0'0800), "EOS TSCXT EIS SPAN nTLSMD LSMAOE");
  EXPECT_EQ(sctlr_flags(0x1005), "M C I");
  EXPECT_EQ(sctlr_flags(1ULL << 60), "0x1000000000000000");
}

TEST(RegisterWords, OfTcrTellSizesAndGranules) {
  // T0SZ 25, TG0 4 KiB, EPD1, IPS 40 bits
  EXPECT_EQ(describe_tcr(25 | 1U << 23 | 2ULL << 32),
            "TTBR0 39 bits in 4 KiB pages, TTBR1 off, output 40 bits");
  // T0SZ 16, TG0 64 KiB; T1SZ 16, TG1 16 KiB; IPS 48 bits
  EXPECT_EQ(describe_tcr(16 | 1U << 14 | 16ULL << 16 | 1ULL << 30 | 5ULL << 32),
            "TTBR0 48 bits in 64 KiB pages, TTBR1 48 bits in 16 KiB pages, output 48 bits");
}

TEST(RegisterWords, OfDescriptorsDependOnWhetherTheyMapAPage) {
  EXPECT_EQ(descriptor_flags(0x4020'0003, DescriptorRole::kTable), "table");
  EXPECT_EQ(descriptor_flags(0x6000'0000'4020'0003, DescriptorRole::kTable), "table noEL0 ROTable");
  EXPECT_EQ(descriptor_flags(0x0060'0000'4000'0705, DescriptorRole::kLeaf),
            "AF PXN UXN inner-shareable attributes 1");
  EXPECT_EQ(descriptor_flags(0x4000'00c1, DescriptorRole::kLeaf), "U RO attributes 0");
}

TEST(RegisterId, IsKvmsNumber) {
  EXPECT_EQ(register_id({.op0 = 3, .op1 = 0, .crn = 1, .crm = 0, .op2 = 0}),
            RegisterId{0x6030'0000'0013'c080});
  EXPECT_EQ(kVirtualTimerControl, RegisterId{0x6030'0000'0013'df19});
  EXPECT_EQ(kMpidr, RegisterId{0x6030'0000'0013'c005});
}

TEST(CpuState, ReadsTheFeaturesOfTablesFromTheIdentificationRegisters) {
  // Neoverse N1: PARange 48 bits, no 52-bit granules, HAFDBS 2.
  const TranslationFeatures n1 = features_from(0x10'1125, 0x1021'2122, 0x1011);
  EXPECT_EQ(n1.physical_address_bits, 48);
  EXPECT_TRUE(n1.hardware_flags);
  EXPECT_FALSE(n1.lva);
  EXPECT_FALSE(n1.lpa2);
  EXPECT_FALSE(n1.small_tables);
  const TranslationFeatures wide = features_from(0x1000'0006 | 2U << 20, 0, 1U << 16 | 1U << 28);
  EXPECT_EQ(wide.physical_address_bits, 52);
  EXPECT_TRUE(wide.lva);
  EXPECT_TRUE(wide.lpa2);
  EXPECT_TRUE(wide.small_tables);
  EXPECT_FALSE(wide.hardware_flags);
}

TEST(CpuState, KnowsWhichStackPointerIsInUse) {
  CpuState cpu;
  cpu.sp_el0 = 0x1000;
  cpu.sp_el1 = 0x2000;
  cpu.pstate = 0x3c5;
  EXPECT_EQ(cpu.sp(), 0x2000U);
  EXPECT_FALSE(cpu.is_user());
  cpu.pstate = 0x3c4;
  EXPECT_EQ(cpu.sp(), 0x1000U);
  EXPECT_FALSE(cpu.is_user());
  cpu.pstate = 0;
  EXPECT_EQ(cpu.sp(), 0x1000U);
  EXPECT_TRUE(cpu.is_user());
}

}  // namespace
}  // namespace nestling::aarch64
