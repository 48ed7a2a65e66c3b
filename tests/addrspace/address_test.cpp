// Addresses: checked arithmetic up to the last byte of a space, alignment, and what must not
// compile.
#include "addrspace/address.h"

#include <concepts>
#include <cstdint>
#include <limits>
#include <optional>

#include <gtest/gtest.h>

namespace nestling {
namespace {

constexpr std::uint64_t kTop = std::numeric_limits<std::uint64_t>::max();

template <typename A, typename B>
concept Comparable = requires(A a, B b) {
  a == b;
};
template <typename A, typename B>
concept Subtractable = requires(A a, B b) {
  a.offset_from(b);
};

static_assert(Comparable<GuestPhysAddr, GuestPhysAddr>);
static_assert(!Comparable<GuestPhysAddr, HostPhysAddr>);
static_assert(!Comparable<GuestPhysAddr, std::uint64_t>);
static_assert(Subtractable<GuestVirtAddr, GuestVirtAddr>);
static_assert(!Subtractable<GuestVirtAddr, GuestPhysAddr>);
static_assert(!std::constructible_from<GuestPhysAddr, GuestVirtAddr>);
static_assert(!std::constructible_from<HostPhysAddr, GuestPhysAddr>);
static_assert(sizeof(GuestPhysAddr) == sizeof(std::uint64_t));
static_assert(sizeof(Port) == sizeof(std::uint16_t));

TEST(Address, StartsAtZero) {
  EXPECT_EQ(GuestPhysAddr().value(), 0U);
  EXPECT_EQ(Port().value(), 0U);
}

TEST(Address, OrdersAsUnsignedNumbersDo) {
  EXPECT_LT(GuestVirtAddr(1), GuestVirtAddr(kTop));
  EXPECT_GT(GuestVirtAddr(0x8000'0000'0000'0000), GuestVirtAddr(0x7fff'ffff'ffff'ffff));
  EXPECT_EQ(GuestVirtAddr(5), GuestVirtAddr(5));
}

TEST(Address, AddsUpToTheLastByteAndNotBeyond) {
  EXPECT_EQ(GuestPhysAddr(kTop - 1).plus(1), GuestPhysAddr(kTop));
  EXPECT_EQ(GuestPhysAddr(kTop).plus(0), GuestPhysAddr(kTop));
  EXPECT_EQ(GuestPhysAddr(kTop).plus(1), std::nullopt);
  EXPECT_EQ(GuestPhysAddr(1).plus(kTop), std::nullopt);
}

TEST(Address, WrapsNowhereInASpaceOfSixteenBits) {
  EXPECT_EQ(Port(0xfffe).plus(1), Port(0xffff));
  EXPECT_EQ(Port(0xffff).plus(1), std::nullopt);
  EXPECT_EQ(Port(0x8000).plus(0x8000), std::nullopt);
}

TEST(Address, GivesItsDistanceFromALowerOne) {
  EXPECT_EQ(GuestPhysAddr(kTop).offset_from(GuestPhysAddr(0)), kTop);
  EXPECT_EQ(Port(0x3ff).offset_from(Port(0x3f8)), 7U);
  EXPECT_EQ(Port(0x3f8).offset_from(Port(0x3f8)), 0U);
}

TEST(Address, AlignsDownAndUp) {
  EXPECT_EQ(GuestPhysAddr(0x1fff).aligned_down(0x1000), GuestPhysAddr(0x1000));
  EXPECT_EQ(GuestPhysAddr(0x1000).aligned_down(0x1000), GuestPhysAddr(0x1000));
  EXPECT_EQ(GuestPhysAddr(0x1001).aligned_up(0x1000), GuestPhysAddr(0x2000));
  EXPECT_EQ(GuestPhysAddr(0x1000).aligned_up(0x1000), GuestPhysAddr(0x1000));
  EXPECT_TRUE(GuestPhysAddr(0x20'0000).is_aligned(0x20'0000));
  EXPECT_FALSE(GuestPhysAddr(0x20'0800).is_aligned(0x1000));
  EXPECT_TRUE(GuestPhysAddr(7).is_aligned(1));
}

TEST(Address, AlignsUpToNothingWhenTheNextMultipleIsBeyondTheTop) {
  EXPECT_EQ(GuestPhysAddr(kTop).aligned_up(2), std::nullopt);
  EXPECT_EQ(GuestPhysAddr(kTop).aligned_up(1), GuestPhysAddr(kTop));
  EXPECT_EQ(GuestPhysAddr(kTop - 0xfff).aligned_up(0x1000), GuestPhysAddr(kTop - 0xfff));
  EXPECT_EQ(GuestPhysAddr(kTop - 0xffe).aligned_up(0x1000), std::nullopt);
}

TEST(AddressDeathTest, AbortsWhenOurOwnArithmeticWraps) {
  EXPECT_DEATH((void)(GuestPhysAddr(kTop) + 1), "address arithmetic wrapped");
  EXPECT_DEATH((void)Port(1).offset_from(Port(2)), "offset from a higher address");
}

TEST(PowersOfTwo, AreRecognised) {
  EXPECT_FALSE(is_power_of_two(0));
  EXPECT_TRUE(is_power_of_two(1));
  EXPECT_TRUE(is_power_of_two(0x8000'0000'0000'0000));
  EXPECT_FALSE(is_power_of_two(3));
  EXPECT_FALSE(is_power_of_two(kTop));
}

}  // namespace
}  // namespace nestling
