// Guest RAM: what is touched is in the view, from either side, and nothing else is.
#include "vmm/memory/guest_ram.h"

#include <array>
#include <cstring>

#include <gtest/gtest.h>

namespace nestling {
namespace {

constexpr std::uint64_t kMiB = 1 << 20;

std::unique_ptr<GuestRam> make_ram() {
  const std::array<GuestPhysRange, 2> ranges = {
      GuestPhysRange::of(GuestPhysAddr(0), 4 * kMiB),
      GuestPhysRange::of(GuestPhysAddr(0x1'0000'0000), 6 * kMiB)};
  auto ram = GuestRam::create({}, ranges);
  EXPECT_TRUE(ram);
  EXPECT_TRUE((*ram)->map_ram());
  return *std::move(ram);
}

std::uint64_t resident_bytes(GuestRam& ram) {
  std::uint64_t sum = 0;
  ram.space().visit_pages(ram.space().range(),
                          [&](const MappedRun& run) { sum += run.guest.size(); });
  return sum;
}

TEST(GuestRam, ShowsKvmTheBytesThatTheVmmWrites) {
  const auto ram = make_ram();
  ASSERT_EQ(ram->regions().size(), 2U);
  const GuestPhysAddr address(0x1'0000'0000 + 5 * kMiB);
  ASSERT_TRUE(ram->memory().write_object(address, std::uint32_t{0x1234'5678}));
  const auto& high = ram->regions()[1];
  std::uint32_t seen = 0;
  std::memcpy(&seen, &high.host[address.offset_from(high.guest.start())], sizeof seen);
  EXPECT_EQ(seen, 0x1234'5678U);
}

TEST(GuestRam, CostsNothingUntilItIsTouched) {
  const auto ram = make_ram();
  EXPECT_EQ(resident_bytes(*ram), 0U);
  ASSERT_TRUE(ram->memory().write_object(GuestPhysAddr(kMiB), std::uint8_t{1}));
  EXPECT_EQ(resident_bytes(*ram), kPageSize);
}

TEST(GuestRam, LearnsWhichPagesTheGuestTouchedWithoutLosingTheirBytes) {
  const auto ram = make_ram();
  std::byte* const low = ram->regions()[0].host.data();
  low[3 * kPageSize] = std::byte{7};  // as a guest does behind its memory slot
  low[4 * kPageSize + 1] = std::byte{8};
  ASSERT_TRUE(ram->learn_residency());
  EXPECT_EQ(resident_bytes(*ram), 2 * kPageSize);
  EXPECT_EQ(*ram->memory().read_object<std::uint8_t>(GuestPhysAddr(3 * kPageSize)), 7);
  EXPECT_EQ(*ram->memory().read_object<std::uint8_t>(GuestPhysAddr(4 * kPageSize + 1)), 8);
  EXPECT_FALSE(ram->space().defect()) << *ram->space().defect();
}

TEST(GuestRam, KeepsTheBytesOfAPageThatTheGuestTouchedFirst) {
  const auto ram = make_ram();
  ram->regions()[0].host[100] = std::byte{42};
  ASSERT_TRUE(ram->memory().write_object(GuestPhysAddr(200), std::uint8_t{1}));
  EXPECT_EQ(*ram->memory().read_object<std::uint8_t>(GuestPhysAddr(100)), 42);
}

}  // namespace
}  // namespace nestling
