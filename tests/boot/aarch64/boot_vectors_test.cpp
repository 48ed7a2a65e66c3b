// The vectors a kernel starts with: where each of them reads, decoded as the manual says.
#include "boot/aarch64/boot_vectors.h"

#include <gtest/gtest.h>

#include "boot/aarch64/ram_layout.h"

namespace nestling::aarch64 {
namespace {

/// The address that "LDR WZR, label" at `address` reads; fails the test for another instruction.
std::uint64_t address_read_by(std::uint32_t instruction, std::uint64_t address) {
  EXPECT_EQ(instruction & 0xff00'001f, 0x1800'001fU) << "no LDR (literal) of 4 bytes to WZR";
  auto words = static_cast<std::int64_t>((instruction >> 5) & 0x7ffff);
  if (words >= 0x40000) {
    words -= 0x80000;
  }
  return address + static_cast<std::uint64_t>(words * 4);
}

TEST(BootVectors, ReadARegisterEach) {
  const std::uint64_t base = 0x4000'4000;
  const auto vectors = make_boot_vectors(GuestPhysAddr(base));
  ASSERT_TRUE(vectors);
  for (std::uint64_t vector = 0; vector < 16; ++vector) {
    const std::uint64_t at = vector * 0x80;
    EXPECT_EQ(address_read_by((*vectors)[at / 4], base + at), 0x3fff'f000 + 4 * vector);
    EXPECT_EQ((*vectors)[at / 4 + 1], 0x1400'0000U) << "a branch to itself";
  }
}

TEST(BootVectors, MatchTheAssemblersEncoding) {
  // ldr wzr, . - 0x1000, as GNU as has it.
  EXPECT_EQ(make_boot_vectors(GuestPhysAddr(0x4000'0000))->front(), 0x18ff'801fU);
}

TEST(BootVectors, ReachTheRegistersFromTheFirstMegabyteOnly) {
  EXPECT_TRUE(make_boot_vectors(GuestPhysAddr(0x400f'e800)));
  EXPECT_FALSE(make_boot_vectors(GuestPhysAddr(0x400f'f000)));
  EXPECT_FALSE(make_boot_vectors(GuestPhysAddr(0x1'0000'0000)));
}

TEST(BootVectors, HaveTheirRegistersRightBelowRam) {
  EXPECT_EQ(kFaultRegisters.last(), kLowDeviceWindow.last());
}

TEST(BootVectors, AreNamedForWhatArrivesThere) {
  EXPECT_EQ(vector_name(4), "synchronous exception in EL1");
  EXPECT_EQ(vector_name(9), "IRQ in EL0");
}

}  // namespace
}  // namespace nestling::aarch64
