// What each exit means, decided without KVM.
#include "vmm/exit_handler.h"

#include <array>
#include <cstring>

#include <gtest/gtest.h>

#include "tests/support/space_fixture.h"

namespace nestling {
namespace {

/// One register that remembers what was written and reads as 0x44332211.
class FakeRegister final : public Device {
 public:
  std::uint64_t read(std::uint64_t /*offset*/, AccessWidth width) override {
    return 0x4433'2211 & width.all_ones();
  }
  void write(std::uint64_t /*offset*/, AccessWidth width, std::uint64_t value) override {
    written.push_back(value);
    widths.push_back(width.bytes());
  }

  std::vector<std::uint64_t> written;
  std::vector<unsigned> widths;
};

class ExitHandlerTest : public ::testing::Test {
 protected:
  ExitHandlerTest() {
    EXPECT_TRUE(ports_.attach("register", PortRange::of(Port(0x100), 4), register_));
    EXPECT_TRUE(
        mmio_.attach("register", GuestPhysRange::of(GuestPhysAddr(0xd0000000), 8), register_));
  }

  testing::SpaceFixture world_;
  MemoryExits exits_{*world_.space, {}};
  FakeRegister register_;
  PortBus ports_;
  MmioBus mmio_;
};

TEST_F(ExitHandlerTest, HandsAPortWriteToItsDevice) {
  ExitHandler handler(ports_, mmio_, exits_, UnclaimedPolicy::kStop);
  std::array<std::byte, 2> data = {std::byte{0x34}, std::byte{0x12}};
  EXPECT_FALSE(handler.handle(
      VcpuId{0}, PortExit{Port(0x100), Direction::kWrite, AccessWidth::of(2), std::span(data)}));
  EXPECT_EQ(register_.written, std::vector<std::uint64_t>{0x1234});
  EXPECT_EQ(register_.widths, std::vector<unsigned>{2});
}

TEST_F(ExitHandlerTest, FillsInWhatAPortReadGives) {
  ExitHandler handler(ports_, mmio_, exits_, UnclaimedPolicy::kStop);
  std::array<std::byte, 4> data{};
  EXPECT_FALSE(handler.handle(
      VcpuId{0}, PortExit{Port(0x100), Direction::kRead, AccessWidth::of(4), std::span(data)}));
  std::uint32_t value = 0;
  std::memcpy(&value, data.data(), sizeof value);
  EXPECT_EQ(value, 0x4433'2211U);
}

TEST_F(ExitHandlerTest, RepeatsAStringAccessAtTheSamePort) {
  ExitHandler handler(ports_, mmio_, exits_, UnclaimedPolicy::kStop);
  std::array<std::byte, 3> data = {std::byte{1}, std::byte{2}, std::byte{3}};
  EXPECT_FALSE(handler.handle(
      VcpuId{0}, PortExit{Port(0x100), Direction::kWrite, AccessWidth::of(1), std::span(data)}));
  EXPECT_EQ(register_.written, (std::vector<std::uint64_t>{1, 2, 3}));
}

TEST_F(ExitHandlerTest, ReadsAllOnesWhereNobodyAnswersAndCountsIt) {
  ExitHandler handler(ports_, mmio_, exits_, UnclaimedPolicy::kGoOn);
  std::array<std::byte, 8> data{};
  EXPECT_FALSE(handler.handle(
      VcpuId{0}, MmioExit{GuestPhysAddr(0xe0000000), Direction::kRead, std::span(data)}));
  for (const std::byte each : data) {
    EXPECT_EQ(each, std::byte{0xff});
  }
  EXPECT_EQ(handler.unclaimed_count(), 1U);
}

TEST_F(ExitHandlerTest, EndsTheRunAtAnUnclaimedAccessWhenStrict) {
  ExitHandler handler(ports_, mmio_, exits_, UnclaimedPolicy::kStop);
  std::array<std::byte, 2> data{};
  const auto port = handler.handle(
      VcpuId{0}, PortExit{Port(0x200), Direction::kWrite, AccessWidth::of(2), std::span(data)});
  ASSERT_TRUE(port);
  EXPECT_EQ(port->kind, VerdictKind::kUnhandledExit);
  EXPECT_EQ(port->reason, "unclaimed 2-byte write to port 0x200");
  const auto mmio = handler.handle(
      VcpuId{0}, MmioExit{GuestPhysAddr(0xe0000000), Direction::kRead, std::span(data)});
  ASSERT_TRUE(mmio);
  EXPECT_EQ(mmio->reason, "unclaimed 2-byte read of address 0xe0000000");
}

TEST_F(ExitHandlerTest, CallsAHaltWithoutInterruptControllersAHang) {
  ExitHandler handler(ports_, mmio_, exits_, UnclaimedPolicy::kGoOn);
  const auto off = handler.handle(VcpuId{0}, HaltExit{HaltExit::Interrupts::kDisabled});
  ASSERT_TRUE(off);
  EXPECT_EQ(off->kind, VerdictKind::kHang);
  const auto on = handler.handle(VcpuId{0}, HaltExit{HaltExit::Interrupts::kEnabled});
  ASSERT_TRUE(on);
  EXPECT_EQ(on->kind, VerdictKind::kHang);
  EXPECT_NE(on->reason, off->reason);
}

TEST_F(ExitHandlerTest, NeverTakesAShutdownForSuccess) {
  ExitHandler handler(ports_, mmio_, exits_, UnclaimedPolicy::kGoOn);
  const auto verdict = handler.handle(VcpuId{0}, ShutdownExit{});
  ASSERT_TRUE(verdict);
  EXPECT_EQ(exit_code(*verdict), 80);
}

TEST_F(ExitHandlerTest, TellsSystemEventsApart) {
  ExitHandler handler(ports_, mmio_, exits_, UnclaimedPolicy::kGoOn);
  using What = SystemEventExit::What;
  EXPECT_EQ(handler.handle(VcpuId{0}, SystemEventExit{What::kShutdown, 1})->kind,
            VerdictKind::kGuestExit);
  EXPECT_EQ(handler.handle(VcpuId{0}, SystemEventExit{What::kReset, 2})->kind, VerdictKind::kReset);
  EXPECT_EQ(handler.handle(VcpuId{0}, SystemEventExit{What::kCrash, 3})->kind,
            VerdictKind::kGuestPanic);
  EXPECT_EQ(handler.handle(VcpuId{0}, SystemEventExit{What::kOther, 9})->kind,
            VerdictKind::kUnhandledExit);
}

TEST_F(ExitHandlerTest, ExplainsAnAccessThatTheProcessorDoesNotDescribe) {
  ExitHandler handler(ports_, mmio_, exits_, UnclaimedPolicy::kGoOn);
  const auto verdict =
      handler.handle(VcpuId{0}, UndecodedAccessExit{GuestPhysAddr(0xd000'0000), 0x46});
  ASSERT_TRUE(verdict);
  EXPECT_EQ(verdict->kind, VerdictKind::kUnhandledExit);
  EXPECT_NE(verdict->reason.find("0xd0000000"), std::string::npos) << verdict->reason;
  EXPECT_NE(verdict->reason.find("use plain loads and stores"), std::string::npos);
}

TEST_F(ExitHandlerTest, GivesUpOnWhatKvmCannotDo) {
  ExitHandler handler(ports_, mmio_, exits_, UnclaimedPolicy::kGoOn);
  for (std::uint32_t suberror = 0; suberror < 6; ++suberror) {
    const auto verdict = handler.handle(VcpuId{0}, InternalErrorExit{.suberror = suberror});
    ASSERT_TRUE(verdict);
    EXPECT_EQ(verdict->kind, VerdictKind::kUnhandledExit);
  }
  EXPECT_EQ(handler.handle(VcpuId{0}, FailEntryExit{0x80000021})->kind,
            VerdictKind::kUnhandledExit);
  EXPECT_EQ(handler.handle(VcpuId{0}, UnknownExit{77})->kind, VerdictKind::kUnhandledExit);
}

TEST_F(ExitHandlerTest, RunsOnAfterAnInterruption) {
  ExitHandler handler(ports_, mmio_, exits_, UnclaimedPolicy::kStop);
  EXPECT_FALSE(handler.handle(VcpuId{0}, InterruptedExit{}));
}

/// An access whose instruction is known, as arm64's are.
struct FakeStoppedAccess final : StoppedAccess {
  Result<void> take_back(Direction direction) override {
    taken_back.push_back(direction);
    return {};
  }
  std::optional<Parts> parts(const MmioExit& /*exit*/) override {
    ++questions;
    return known_parts;
  }
  std::optional<Whole> whole() override { return known_whole; }
  Result<void> complete(const Whole& whole) override {
    completed.push_back(whole.data);
    return {};
  }

  std::vector<Direction> taken_back;
  int questions = 0;
  std::optional<Parts> known_parts;
  std::optional<Whole> known_whole;
  std::vector<std::vector<std::byte>> completed;
};

class AccessToldByPage : public ExitHandlerTest {
 protected:
  static constexpr std::uint64_t kRam = 0x10'0000;
  static constexpr std::uint64_t kRom = kRam + kPageSize;

  AccessToldByPage() {
    const auto page = [](std::uint64_t at) {
      return GuestPhysRange::of(GuestPhysAddr(at), kPageSize);
    };
    EXPECT_TRUE(world_.space->map_alloc(page(kRam), Populate::kOnTouch, {.name = "ram"}));
    EXPECT_TRUE(world_.space->map_alloc(page(kRom), Populate::kNow,
                                        {.name = "rom", .access = Access::read()}));
  }

  std::optional<Verdict> write(std::uint64_t at, std::span<std::byte> data) {
    return handler_.handle(VcpuId{0},
                           MmioExit{GuestPhysAddr(at), Direction::kWrite, data, &access_});
  }
  [[nodiscard]] std::byte byte_at(std::uint64_t at) { return *world_.byte_at(GuestPhysAddr(at)); }

  ExitHandler handler_{ports_, mmio_, exits_, UnclaimedPolicy::kGoOn};
  FakeStoppedAccess access_;
  std::array<std::byte, 4> data_ = {std::byte{1}, std::byte{2}, std::byte{3}, std::byte{4}};
};

TEST_F(AccessToldByPage, IsTakenBackOnceItsPageIsThere) {
  EXPECT_FALSE(write(kRam, data_));
  EXPECT_EQ(access_.taken_back, std::vector<Direction>{Direction::kWrite});
  EXPECT_EQ(byte_at(kRam), std::byte{0}) << "the guest writes it itself";
  EXPECT_EQ(exits_.statistics().populated, 1U);
}

TEST_F(AccessToldByPage, EndsTheRunWhenThePageStaysOutOfReach) {
  std::optional<Verdict> verdict;
  int served = 0;
  while (!verdict && served < 1000) {
    verdict = write(kRam + 8, data_);
    ++served;
  }
  ASSERT_TRUE(verdict);
  EXPECT_EQ(verdict->kind, VerdictKind::kUnhandledExit);
  EXPECT_NE(verdict->reason.find("0x100008"), std::string::npos) << verdict->reason;
  EXPECT_GT(served, 10);
}

TEST_F(AccessToldByPage, IsCutAtTheEdgeOfReadOnlyMemory) {
  access_.known_parts = StoppedAccess::Parts{
      .below = 1, .first = GuestPhysAddr(kRom - 1), .behind = GuestPhysAddr(kRom)};
  EXPECT_FALSE(write(kRom, data_));
  EXPECT_TRUE(access_.taken_back.empty()) << "it would come again and again";
  EXPECT_EQ(byte_at(kRom - 1), std::byte{1});
  EXPECT_EQ(byte_at(kRom), std::byte{0});
  EXPECT_EQ(exits_.statistics().denied_writes, 1U);
}

TEST_F(AccessToldByPage, BeginsWhereTheExitSaysWhenNobodyKnowsBetter) {
  EXPECT_FALSE(write(kRom - 2 + kPageSize, data_));
  EXPECT_EQ(access_.questions, 1);
  EXPECT_EQ(exits_.statistics().denied_writes, 1U);
  EXPECT_EQ(handler_.unclaimed_count(), 1U);
}

TEST_F(AccessToldByPage, IsNotAskedAboutItsPartsWhereOnlyADeviceIs) {
  EXPECT_FALSE(write(0xd000'0000, data_));
  EXPECT_FALSE(write(kRom + 8, data_));
  EXPECT_EQ(access_.questions, 0);
  EXPECT_EQ(register_.written, std::vector<std::uint64_t>{0x0403'0201});
}

TEST_F(AccessToldByPage, IsMadePieceByPieceWhereTheProcessorDoesNotDescribeIt) {
  access_.known_whole =
      StoppedAccess::Whole{.direction = Direction::kWrite,
                           .pieces = {{GuestPhysAddr(kRom - 2), 2}, {GuestPhysAddr(kRom), 2}},
                           .data = {data_.begin(), data_.end()}};
  constexpr std::uint64_t kIsWrite = 1U << 6;
  EXPECT_FALSE(
      handler_.handle(VcpuId{0}, UndecodedAccessExit{GuestPhysAddr(kRom), kIsWrite, &access_}));
  EXPECT_EQ(byte_at(kRom - 2), std::byte{1});
  EXPECT_EQ(byte_at(kRom - 1), std::byte{2});
  EXPECT_EQ(byte_at(kRom), std::byte{0}) << "read-only";
  EXPECT_EQ(exits_.statistics().denied_writes, 1U);
  EXPECT_EQ(access_.completed.size(), 1U);
}

TEST_F(AccessToldByPage, MayEndWhereNobodyIs) {
  constexpr std::uint64_t kBehind = kRom + kPageSize;
  access_.known_whole =
      StoppedAccess::Whole{.direction = Direction::kRead,
                           .pieces = {{GuestPhysAddr(kBehind - 8), 8}, {GuestPhysAddr(kBehind), 8}},
                           .data = std::vector<std::byte>(16)};
  // As where reads of the ROM are watched.
  const WatchList watches({{.range = GuestPhysRange::of(GuestPhysAddr(kRom), kPageSize),
                            .access = Access::read(),
                            .text = "rom"}});
  MemoryExits exits(*world_.space, {.watches = &watches});
  ExitHandler handler(ports_, mmio_, exits, UnclaimedPolicy::kGoOn);
  EXPECT_FALSE(
      handler.handle(VcpuId{0}, UndecodedAccessExit{GuestPhysAddr(kBehind - 8), 0, &access_}));
  ASSERT_EQ(access_.completed.size(), 1U);
  EXPECT_EQ(access_.completed[0][0], std::byte{0});
  EXPECT_EQ(access_.completed[0][8], std::byte{0xff});
  EXPECT_EQ(handler.unclaimed_count(), 1U);
}

TEST_F(AccessToldByPage, IsNotMadeWhenItGoesTheOtherWayThanTheProcessorSays) {
  access_.known_whole = StoppedAccess::Whole{.direction = Direction::kRead,
                                             .pieces = {{GuestPhysAddr(kRom), 4}},
                                             .data = {data_.begin(), data_.end()}};
  constexpr std::uint64_t kIsWrite = 1U << 6;
  EXPECT_TRUE(
      handler_.handle(VcpuId{0}, UndecodedAccessExit{GuestPhysAddr(kRom), kIsWrite, &access_}));
  EXPECT_TRUE(access_.completed.empty());
}

TEST_F(AccessToldByPage, SaysWhyAnUndescribedAccessCannotBeServed) {
  constexpr std::uint64_t kWrite = 1U << 6;
  const auto verdict = handler_.handle(VcpuId{0}, UndecodedAccessExit{GuestPhysAddr(kRom), kWrite});
  ASSERT_TRUE(verdict);
  EXPECT_NE(verdict->reason.find("which its rights deny"), std::string::npos) << verdict->reason;
  EXPECT_FALSE(handler_.handle(VcpuId{0}, UndecodedAccessExit{GuestPhysAddr(kRam), kWrite}));
}

}  // namespace
}  // namespace nestling
