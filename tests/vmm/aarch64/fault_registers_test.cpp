// A read from a vector ends the run, and names the vector.
#include "vmm/aarch64/fault_registers.h"

#include <gtest/gtest.h>

#include "tests/support/fake_power_switch.h"

namespace nestling::aarch64 {
namespace {

TEST(FaultRegisters, EndTheRunWithTheNameOfTheVector) {
  FakePowerSwitch power;
  FaultRegisters registers(power);
  EXPECT_EQ(registers.read(4 * 4, AccessWidth::of(4)), 0U);
  EXPECT_EQ(power.requests(),
            std::vector<std::string>{"unhandled exception: synchronous exception in EL1"});
}

TEST(FaultRegisters, TakeNoOtherAccessForAnException) {
  FakePowerSwitch power;
  FaultRegisters registers(power);
  registers.write(16, AccessWidth::of(4), 1);
  EXPECT_EQ(registers.read(64, AccessWidth::of(4)), 0U);
  EXPECT_EQ(registers.read(0xffc, AccessWidth::of(4)), 0U);
  EXPECT_TRUE(power.requests().empty());
}

}  // namespace
}  // namespace nestling::aarch64
