// The bus: who answers, what nobody claims, and accesses that straddle an edge.
#include "devices/bus.h"

#include <gtest/gtest.h>

namespace nestling {
namespace {

/// Registers whose value is their offset.
class OffsetDevice final : public ByteDevice {
 protected:
  std::uint8_t read_byte(std::uint64_t offset) override {
    return static_cast<std::uint8_t>(offset);
  }
  void write_byte(std::uint64_t /*offset*/, std::uint8_t /*value*/) override {}
};

using Claimed = PortBus::Outcome::Claimed;

TEST(Bus, AnswersAllOnesWhereNobodyIsAttached) {
  const PortBus bus;
  const auto outcome = bus.read(Port(0x3f8), AccessWidth::of(2));
  EXPECT_EQ(outcome.value, 0xffffU);
  EXPECT_EQ(outcome.claimed, Claimed::kNone);
}

TEST(Bus, RefusesADeviceThatOverlapsAnother) {
  PortBus bus;
  OffsetDevice device;
  ASSERT_TRUE(bus.attach("first", PortRange::of(Port(0x10), 8), device));
  const auto refused = bus.attach("second", PortRange::of(Port(0x17), 1), device);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("overlaps first"), std::string::npos);
}

TEST(Bus, SplitsAnAccessThatStraddlesTheEndOfADevice) {
  PortBus bus;
  OffsetDevice device;
  ASSERT_TRUE(bus.attach("device", PortRange::of(Port(0x10), 8), device));
  const auto outcome = bus.read(Port(0x16), AccessWidth::of(4));
  EXPECT_EQ(outcome.value, 0xffff0706U);
  EXPECT_EQ(outcome.claimed, Claimed::kSome);
}

TEST(Bus, AnswersUpToTheLastPort) {
  PortBus bus;
  OffsetDevice device;
  ASSERT_TRUE(bus.attach("top", PortRange::of(Port(0xfffe), 2), device));
  EXPECT_EQ(bus.read(Port(0xffff), AccessWidth::of(4)).value, 0xffffff01U);
}

}  // namespace
}  // namespace nestling
