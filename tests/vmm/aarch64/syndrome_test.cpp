// ESR_EL1 in words.
#include "vmm/aarch64/syndrome.h"

#include <gtest/gtest.h>

#include "addrspace/aarch64/stage1_walk.h"

namespace nestling::aarch64 {
namespace {

TEST(Syndrome, NamesClassAndFaultOfAborts) {
  EXPECT_EQ(describe_syndrome(0x9600'0045),
            "data abort in EL1: translation fault at level 1, write");
  EXPECT_EQ(describe_syndrome(0x9200'000f), "data abort in EL0: permission fault at level 3, read");
  EXPECT_EQ(describe_syndrome(0x8600'0004),
            "instruction abort in EL1: translation fault at level 0");
  EXPECT_EQ(describe_syndrome(0x8200'0010), "instruction abort in EL0: external abort");
  EXPECT_EQ(describe_syndrome(0x9600'0087),
            "data abort in EL1: translation fault at level 3, reading a table");
  EXPECT_EQ(describe_syndrome(0x9600'0146),
            "data abort in EL1: translation fault at level 2, cache maintenance");
  EXPECT_EQ(describe_syndrome(0x9600'0021), "data abort in EL1: alignment fault, read");
}

TEST(Syndrome, NamesInstructionsThatRaiseExceptions) {
  EXPECT_EQ(describe_syndrome(0x0200'0000), "undefined instruction");
  EXPECT_EQ(describe_syndrome(0x5600'0012), "svc 0x12");
  EXPECT_EQ(describe_syndrome(0x5a00'0000), "hvc 0x0");
  EXPECT_EQ(describe_syndrome(0xf200'03e8), "brk 0x3e8");
  EXPECT_EQ(describe_syndrome(0x8a00'0000), "misaligned PC");
  EXPECT_EQ(describe_syndrome(0x9a00'0000), "misaligned SP");
  EXPECT_EQ(describe_syndrome(0x1e00'0000), "floating point or SIMD, which CPACR_EL1 traps");
  EXPECT_EQ(describe_syndrome(0xbe00'0000), "SError");
}

TEST(Syndrome, NamesTheSystemRegisterOfATrappedInstruction) {
  // mrs x3, S3_0_C0_C7_1: op0 3, op2 1, op1 0, CRn 0, Rt 3, CRm 7, read
  const std::uint64_t iss = 3U << 20 | 1U << 17 | 3U << 5 | 7U << 1 | 1;
  EXPECT_EQ(describe_syndrome(0x6200'0000 | iss),
            "trapped system instruction: mrs S3_0_C0_C7_1 to x3");
}

TEST(Syndrome, GivesTheNumberOfAClassWithoutAName) {
  EXPECT_EQ(describe_syndrome(0x3fULL << 26), "exception class 0x3f");
}

TEST(Syndrome, KnowsWhichExceptionsHaveAnAddress) {
  EXPECT_TRUE(has_fault_address(0x9600'0045));
  EXPECT_TRUE(has_fault_address(0x8600'0004));
  EXPECT_TRUE(has_fault_address(0x8a00'0000));
  EXPECT_FALSE(has_fault_address(0x9600'0410)) << "FnV: FAR is not valid";
  EXPECT_FALSE(has_fault_address(0x0200'0000));
  EXPECT_FALSE(has_fault_address(0x5600'0000));
}

TEST(Syndrome, TellsAbortsFromOutside) {
  EXPECT_TRUE(is_external_abort(0x9600'0010));
  EXPECT_TRUE(is_external_abort(0x8600'0010));
  EXPECT_TRUE(is_external_abort(0x9600'0017)) << "of a walk, at level 3";
  EXPECT_FALSE(is_external_abort(0x9600'0007));
  EXPECT_FALSE(is_external_abort(0x9600'0021));
  EXPECT_FALSE(is_external_abort(0x5600'0010)) << "svc";
}

TEST(Syndrome, EndsForEveryClassAndStatus) {
  for (std::uint64_t found = 0; found < 64; ++found) {
    EXPECT_FALSE(describe_syndrome(found << 26 | 0x1ff'ffff).empty()) << found;
  }
  for (std::uint64_t status = 0; status < 64; ++status) {
    EXPECT_FALSE(describe_fault_status(status).empty()) << status;
  }
}

TEST(Syndrome, AgreesWithTheWalksOwnSyndrome) {
  using Kind = TranslationFault::Kind;
  const std::pair<Kind, const char*> kinds[] = {{Kind::kAddressSize, "address size"},
                                                {Kind::kTranslation, "translation"},
                                                {Kind::kAccessFlag, "access flag"},
                                                {Kind::kPermission, "permission"}};
  for (const auto& [kind, word] : kinds) {
    for (std::int8_t level = 0; level < 4; ++level) {
      EXPECT_EQ(describe_syndrome(syndrome({kind, level}, {.kind = AccessKind::kWrite})),
                fmt::format("data abort in EL1: {} fault at level {}, write", word, level));
    }
  }
}

}  // namespace
}  // namespace nestling::aarch64
