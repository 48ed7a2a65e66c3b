// From what happened to memory to the lines of an audit: each thing once, with all that is known.
#include "vmm/audit/audit_sink.h"

#include <sstream>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "addrspace/space_memory.h"
#include "tests/support/space_fixture.h"
#include "tests/support/temporary_folder.h"
#include "vmm/vcpu_id.h"

namespace nestling {
namespace {

using nestling::testing::file_contents;
using nestling::testing::guest;
using nestling::testing::kMiB;
using nestling::testing::SpaceFixture;
using nestling::testing::TemporaryFolder;

constexpr Actor kDevice{.kind = Actor::Kind::kDevice, .index = 2};

/// A page of RAM, a page of ROM, and a watched word in the RAM.
class AuditSinkTest : public ::testing::Test, protected SpaceFixture {
 protected:
  static constexpr std::uint64_t kRam = kMiB;
  static constexpr std::uint64_t kRom = kMiB + kPageSize;
  static constexpr std::uint64_t kWatched = kRam + 0x10;

  AuditSinkTest() {
    EXPECT_TRUE(space->map_alloc(guest(kRam, kPageSize), Populate::kOnTouch, {.name = "ram"}));
    EXPECT_TRUE(space->map_alloc(guest(kRom, kPageSize), Populate::kNow,
                                 {.name = "rom", .access = Access::read()}));
    auto created = AuditTrail::create({.path = path_, .start = std::chrono::steady_clock::now()});
    EXPECT_TRUE(created);
    trail_ = *std::move(created);
  }

  /// The events so far, without their times; ends the audit.
  [[nodiscard]] std::vector<nlohmann::json> events() {
    EXPECT_TRUE(trail_->finish());
    std::vector<nlohmann::json> found;
    std::istringstream text(file_contents(path_));
    for (std::string line; std::getline(text, line);) {
      auto json = nlohmann::json::parse(line);
      if (json.contains("seq")) {
        found.push_back(std::move(json));
      }
    }
    return found;
  }

  const TemporaryFolder folder_;
  const std::string path_ = folder_.file("audit.jsonl");
  const WatchList watches_{{{guest(kWatched, 4), Access::read_write(), "word:rw"}}};
  std::unique_ptr<AuditTrail> trail_;
};

TEST_F(AuditSinkTest, TellsWhatAVcpuDidWithItsOrigin) {
  AuditSink sink(*trail_, &watches_, *space);
  ASSERT_TRUE(sink.listen());
  std::vector<AccessSeen> asked;
  sink.set_origin_of([&](std::uint32_t vcpu, const AccessSeen& seen) {
    EXPECT_EQ(vcpu, 1U);
    asked.push_back(seen);
    return AccessOrigin{GuestPlace{GuestVirtAddr(0x10'2004), ProgramCounterIs::kAtInstruction},
                        GuestVirtAddr(0xffff'8000'0000'1000)};
  });
  sink.tell({.kind = MemoryEvent::Kind::kViolation,
             .actor = actor_of(VcpuId{1}),
             .gpa = GuestPhysAddr(kRom + 8),
             .size = 4,
             .access = Access::write(),
             .outcome = MemoryEvent::Outcome::kDiscarded,
             .data = 7});
  sink.tell_port({.actor = actor_of(VcpuId{1}),
                  .port = Port(0x2fd),
                  .size = 1,
                  .access = Access::read(),
                  .outcome = MemoryEvent::Outcome::kReadOnes,
                  .data = 0xff});
  const auto found = events();
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[0]["kind"], "violation");
  EXPECT_EQ(found[0]["verdict"], "discarded");
  EXPECT_EQ(found[0]["actor"], "vcpu 1");
  EXPECT_EQ(found[0]["area"], "rom");
  EXPECT_EQ(found[0]["gpa"], fmt::format("{:#x}", kRom + 8));
  EXPECT_EQ(found[0]["gva"], "0xffff800000001000");
  EXPECT_EQ(found[0]["pc"], "0x102004");
  EXPECT_EQ(found[0]["data"], "0x7");
  EXPECT_EQ(found[1]["kind"], "unclaimed");
  EXPECT_EQ(found[1]["port"], "0x2fd");
  EXPECT_EQ(found[1]["verdict"], "all ones");
  ASSERT_EQ(asked.size(), 2U);
  EXPECT_EQ(asked[0].direction, Direction::kWrite);
  EXPECT_EQ(asked[0].gpa, GuestPhysAddr(kRom + 8));
  EXPECT_EQ(asked[1].way, AccessSeen::Way::kPort);
}

TEST_F(AuditSinkTest, TellsWhatDevicesDoToWatchedDeniedAndMissingMemory) {
  AuditSink sink(*trail_, &watches_, *space);
  ASSERT_TRUE(sink.listen());
  SpaceMemory device(*space, kDevice);
  ASSERT_TRUE(device.write_object(GuestPhysAddr(kWatched + 2), std::uint32_t{1}));
  ASSERT_TRUE(device.write_object(GuestPhysAddr(kWatched + 4), std::uint32_t{1})) << "beside it";
  ASSERT_FALSE(device.write_object(GuestPhysAddr(kRom), std::uint16_t{1}));
  ASSERT_FALSE(device.read_object<std::uint8_t>(GuestPhysAddr(0)));
  const auto found = events();
  ASSERT_EQ(found.size(), 3U);
  EXPECT_EQ(found[0]["kind"], "watch");
  EXPECT_EQ(found[0]["watch"], "word:rw");
  EXPECT_EQ(found[0]["actor"], "device 2");
  EXPECT_EQ(found[0]["access"], "w");
  EXPECT_EQ(found[0]["size"], 4);
  EXPECT_EQ(found[0]["area"], "ram");
  EXPECT_EQ(found[0]["pc"], nullptr);
  EXPECT_EQ(found[1]["kind"], "violation");
  EXPECT_EQ(found[1]["verdict"], "denied");
  EXPECT_EQ(found[2]["kind"], "unclaimed");
  EXPECT_EQ(found[2]["verdict"], "unmapped");
  EXPECT_EQ(found[2]["area"], nullptr);
}

TEST_F(AuditSinkTest, LeavesWhatAVcpuDoesThroughTheSpaceToWhoServesItsExits) {
  AuditSink sink(*trail_, &watches_, *space);
  ASSERT_TRUE(sink.listen());
  SpaceMemory vcpu(*space, actor_of(VcpuId{0}));
  ASSERT_TRUE(vcpu.write_object(GuestPhysAddr(kWatched), std::uint32_t{1}));
  EXPECT_TRUE(events().empty());
}

TEST_F(AuditSinkTest, LeavesOutThatTrappedMemoryIsThere) {
  AuditSink sink(*trail_, &watches_, *space);
  ASSERT_TRUE(sink.listen());
  const auto fault = [&](std::uint64_t gpa, MemoryEvent::Outcome outcome) {
    sink.tell({.kind = MemoryEvent::Kind::kFault,
               .actor = actor_of(VcpuId{0}),
               .gpa = GuestPhysAddr(gpa),
               .size = 1,
               .access = Access::read(),
               .outcome = outcome});
  };
  fault(kRam, MemoryEvent::Outcome::kPresent);
  fault(kRam, MemoryEvent::Outcome::kPopulated);
  fault(kRom, MemoryEvent::Outcome::kPresent);
  const auto found = events();
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[0]["verdict"], "populated");
  EXPECT_EQ(found[1]["verdict"], "already present");
}

TEST_F(AuditSinkTest, RefusesToWatchWhereNoMemoryIs) {
  const WatchList beyond{{{guest(kRom + kPageSize - 4, 8), Access::write(), "edge:w"}}};
  AuditSink sink(*trail_, &beyond, *space);
  const auto done = sink.listen();
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().kind, ErrorKind::kUsage);
  EXPECT_EQ(done.error().message.find("--watch edge:w: 0x101ffc-0x102003: "), 0U)
      << done.error().message;
}

TEST_F(AuditSinkTest, ListensNoMoreWhenItIsGone) {
  ASSERT_TRUE(AuditSink(*trail_, &watches_, *space).listen());
  SpaceMemory device(*space, kDevice);
  ASSERT_FALSE(device.write_object(GuestPhysAddr(kRom), std::uint16_t{1}));
  EXPECT_TRUE(events().empty());
}

}  // namespace
}  // namespace nestling
