// Bits as words.
#include "vmm/x86_64/flag_names.h"

#include <gtest/gtest.h>

namespace nestling::x86_64 {
namespace {

TEST(FlagNames, OfControlRegistersAreTheManualsMnemonics) {
  EXPECT_EQ(cr0_flags(0x8005'0033), "PE MP ET NE WP AM PG");
  EXPECT_EQ(cr4_flags(0x0000'06a0), "PAE PGE OSFXSR OSXMMEXCPT");
  EXPECT_EQ(cr4_flags((1U << 12) | (1U << 20) | (1U << 21)), "LA57 SMEP SMAP");
  EXPECT_EQ(efer_flags(0xd01), "SCE LME LMA NXE");
  EXPECT_EQ(efer_flags(0), "");
}

TEST(FlagNames, AppendBitsWithoutANameInHex) {
  EXPECT_EQ(cr0_flags(1ULL << 40 | 1), "PE 0x10000000000");
  EXPECT_EQ(efer_flags(2), "0x2");
}

TEST(FlagNames, OfRflagsLeaveOutTheBitThatIsAlwaysSet) {
  EXPECT_EQ(rflags_flags(2), "");
  EXPECT_EQ(rflags_flags(0x246), "PF ZF IF");
  EXPECT_EQ(rflags_flags(0x3202), "IF IOPL=3");
}

TEST(FlagNames, OfEntriesDependOnWhetherTheyMapAPage) {
  EXPECT_EQ(entry_flags(0x2063, EntryRole::kTable), "P W A");
  EXPECT_EQ(entry_flags(0x80000000'002001e7, EntryRole::kLargePage), "P W U A D PS G NX");
  EXPECT_EQ(entry_flags(0x10'0099, EntryRole::kSmallPage), "P PWT PCD PAT");
}

}  // namespace
}  // namespace nestling::x86_64
