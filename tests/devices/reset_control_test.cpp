// The reset register: which writes reset, and that PCI configuration next to it does not.
#include "devices/reset_control.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "addrspace/range.h"
#include "devices/bus.h"
#include "tests/support/fake_power_switch.h"

namespace nestling {
namespace {

using Requests = std::vector<std::string>;

class ResetControlTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(bus.attach("reset", PortRange::of(Port(0xcf8), ResetControl::kPortCount), control));
  }
  void write(Port port, AccessWidth width, std::uint64_t value) {
    EXPECT_EQ(bus.write(port, width, value).claimed, PortBus::Outcome::Claimed::kAll);
  }
  void out(std::uint8_t value) { write(Port(0xcf9), AccessWidth::of(1), value); }
  [[nodiscard]] std::uint64_t in() { return bus.read(Port(0xcf9), AccessWidth::of(1)).value; }

  FakePowerSwitch power;
  ResetControl control{power};
  PortBus bus;
};

TEST_F(ResetControlTest, ReadsBackWhatKindOfResetIsSelected) {
  EXPECT_EQ(in(), 0x00U);
  out(0x02);
  EXPECT_EQ(in(), 0x02U);
  out(0xfb);
  EXPECT_EQ(in(), 0x0aU) << "other bits are reserved";
  EXPECT_TRUE(power.requests().empty());
}

TEST_F(ResetControlTest, ResetsHard) {
  out(0x02);
  out(0x06);
  EXPECT_EQ(power.requests(), Requests{"reset: hard reset, 0x6 written to port 0xcf9"});
}

TEST_F(ResetControlTest, ResetsSoft) {
  out(0x04);
  EXPECT_EQ(power.requests(), Requests{"reset: soft reset, 0x4 written to port 0xcf9"});
}

TEST_F(ResetControlTest, ResetsOnTheRisingEdgeOnly) {
  out(0x06);
  out(0x0e);
  EXPECT_EQ(power.requests().size(), 1U);
  out(0x00);
  out(0x0e);
  EXPECT_EQ(power.requests().size(), 2U);
}

TEST_F(ResetControlTest, IsNotReachedByPciConfigurationAccesses) {
  // Device 0, function 6: the byte that falls on 0xcf9 is 0x06.
  write(Port(0xcf8), AccessWidth::of(4), 0x8000'0600);
  write(Port(0xcf8), AccessWidth::of(2), 0x0600);
  write(Port(0xcf9), AccessWidth::of(2), 0x0006);
  write(Port(0xcfb), AccessWidth::of(1), 0x06);
  EXPECT_TRUE(power.requests().empty());
  EXPECT_EQ(bus.read(Port(0xcf8), AccessWidth::of(4)).value, 0xffff'ffffU)
      << "a guest would take anything else for a PCI bridge";
}

}  // namespace
}  // namespace nestling
