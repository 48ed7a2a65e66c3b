// GuestMemory: one contract for plain RAM, for the address space, and for the fake.
#include "addrspace/guest_memory.h"

#include <unistd.h>

#include <array>
#include <cstring>
#include <limits>
#include <memory>
#include <vector>

#include <gtest/gtest.h>

#include "addrspace/guest_atomics.h"
#include "addrspace/io_vectors.h"
#include "addrspace/space_memory.h"
#include "tests/support/fake_guest_memory.h"
#include "tests/support/ram.h"

namespace nestling {
namespace {

constexpr std::uint64_t k2MiB = 2ULL << 20;
/// Memory from 2 MiB to 4 MiB and, adjoining, to 6 MiB; nothing else.
constexpr GuestPhysAddr kFirst(k2MiB);
constexpr GuestPhysAddr kSeam(2 * k2MiB);
constexpr GuestPhysAddr kEnd(3 * k2MiB);

struct FakeWorld {
  FakeWorld() {
    memory.add(GuestPhysRange::of(kFirst, k2MiB), Access::all());
    memory.add(GuestPhysRange::of(kSeam, k2MiB), Access::all());
  }
  testing::FakeGuestMemory memory;
};

struct RamWorld {
  static Ram make() {
    const std::array ranges = {GuestPhysRange::of(kFirst, k2MiB), GuestPhysRange::of(kSeam, k2MiB)};
    auto ram = Ram::create(ranges);
    check(ram.has_value(), "RAM");
    return std::move(*ram);
  }
  Ram memory = make();
};

/// Two areas: one there from the start, one on first touch.
struct SpaceWorld {
  SpaceWorld() {
    const AreaOptions options{.name = "ram"};
    check(space->map_alloc(GuestPhysRange::of(kFirst, k2MiB), Populate::kNow, options).has_value(),
          "first area");
    check(
        space->map_alloc(GuestPhysRange::of(kSeam, k2MiB), Populate::kOnTouch, options).has_value(),
        "second area");
  }
  static std::unique_ptr<RamPool> make_pool() {
    auto made = RamPool::create({.capacity = 64ULL << 20, .backing = MemfdBacking{}});
    check(made.has_value(), "pool");
    return std::move(*made);
  }
  static std::unique_ptr<AddressSpace> make_space(RamPool& pool) {
    auto made = AddressSpace::create(
        pool, {.range = GuestPhysRange::of(GuestPhysAddr(0), 1ULL << 30), .fault_granule = 4096});
    check(made.has_value(), "space");
    return std::move(*made);
  }
  std::unique_ptr<RamPool> pool = make_pool();
  std::unique_ptr<AddressSpace> space = make_space(*pool);
  SpaceMemory memory{*space, {.kind = Actor::Kind::kDevice, .index = 1}};
};

template <typename World>
struct GuestMemoryContract : ::testing::Test {
  World world;
  GuestMemory& memory = world.memory;

  [[nodiscard]] std::byte byte_at(GuestPhysAddr at) {
    return memory.read_object<std::byte>(at).value();
  }
};

using Worlds = ::testing::Types<FakeWorld, RamWorld, SpaceWorld>;
TYPED_TEST_SUITE(GuestMemoryContract, Worlds);

constexpr MemoryFault unmapped_at(GuestPhysAddr at) { return {MemoryFault::Reason::kUnmapped, at}; }

TYPED_TEST(GuestMemoryContract, StartsAsZeros) {
  std::array<std::byte, 64> bytes{};
  bytes.fill(std::byte{1});
  ASSERT_TRUE(this->memory.read(kSeam + 100, bytes));
  EXPECT_EQ(bytes, (std::array<std::byte, 64>{}));
}

TYPED_TEST(GuestMemoryContract, ReadsBackWhatWasWrittenAcrossPagesAndAreas) {
  std::vector<std::byte> written(3 * kPageSize + 5);
  for (std::size_t i = 0; i < written.size(); ++i) {
    written.at(i) = static_cast<std::byte>(i * 7);
  }
  const GuestPhysAddr start(kSeam.value() - kPageSize - 3);
  ASSERT_TRUE(this->memory.write(start, written));
  std::vector<std::byte> read_back(written.size());
  ASSERT_TRUE(this->memory.read(start, read_back));
  EXPECT_EQ(read_back, written);
  EXPECT_EQ(this->byte_at(GuestPhysAddr(start.value() - 1)), std::byte{0});
  EXPECT_EQ(this->byte_at(start + written.size()), std::byte{0});
}

TYPED_TEST(GuestMemoryContract, WritesAllOrNothing) {
  const std::vector<std::byte> bytes(2 * kPageSize, std::byte{0xff});
  const GuestPhysAddr start(kEnd.value() - kPageSize);
  const auto refused = this->memory.write(start, bytes);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error(), unmapped_at(kEnd));
  EXPECT_EQ(this->byte_at(start), std::byte{0});
}

TYPED_TEST(GuestMemoryContract, NamesTheFirstByteThatIsMissing) {
  std::array<std::byte, 16> bytes{};
  EXPECT_EQ(this->memory.read(GuestPhysAddr(k2MiB - 8), bytes).error(),
            unmapped_at(GuestPhysAddr(k2MiB - 8)));
  EXPECT_EQ(this->memory.read(GuestPhysAddr(3 * k2MiB - 8), bytes).error(), unmapped_at(kEnd));
  EXPECT_EQ(this->memory.zero(GuestPhysRange::of(kEnd, 1)).error(), unmapped_at(kEnd));
}

TYPED_TEST(GuestMemoryContract, SurvivesRangesAtTheTopOfTheAddresses) {
  std::array<std::byte, 16> bytes{};
  const GuestPhysAddr top(std::numeric_limits<std::uint64_t>::max());
  EXPECT_EQ(this->memory.read(top, bytes).error(), unmapped_at(top));
  EXPECT_EQ(this->memory.read(top, std::span(bytes).first(1)).error(), unmapped_at(top));
}

TYPED_TEST(GuestMemoryContract, AllowsAnEmptyRangeAnywhere) {
  const auto spans = this->memory.spans(GuestPhysRange(), Access::all());
  ASSERT_TRUE(spans);
  EXPECT_TRUE(spans->spans().empty());
}

TYPED_TEST(GuestMemoryContract, ZeroesExactlyTheRange) {
  const std::vector<std::byte> bytes(2 * kPageSize, std::byte{0xff});
  ASSERT_TRUE(this->memory.write(kFirst, bytes));
  ASSERT_TRUE(this->memory.zero(GuestPhysRange::of(kFirst + 1, kPageSize + 7)));
  EXPECT_EQ(this->byte_at(kFirst), std::byte{0xff});
  EXPECT_EQ(this->byte_at(kFirst + 1), std::byte{0});
  EXPECT_EQ(this->byte_at(kFirst + kPageSize + 7), std::byte{0});
  EXPECT_EQ(this->byte_at(kFirst + kPageSize + 8), std::byte{0xff});
}

TYPED_TEST(GuestMemoryContract, GivesSpansThatAddUpToTheRangeInOrder) {
  const GuestPhysRange range = GuestPhysRange::of(kFirst + 5, 5 * kPageSize);
  const auto spans = this->memory.spans(range, Access::write());
  ASSERT_TRUE(spans);
  std::uint64_t total = 0;
  for (const std::span<std::byte> span : spans->spans()) {
    ASSERT_FALSE(span.empty());
    span.front() = std::byte{0x42};
    EXPECT_EQ(this->byte_at(range.start() + total), std::byte{0x42});
    total += span.size();
  }
  EXPECT_EQ(total, range.size());
}

TYPED_TEST(GuestMemoryContract, LoadsAndStoresIndicesAtomically) {
  ASSERT_TRUE(store_release<std::uint16_t>(this->memory, kFirst + 2, 0xbeef));
  EXPECT_EQ(load_acquire<std::uint16_t>(this->memory, kFirst + 2).value(), 0xbeef);
  EXPECT_EQ(load_acquire<std::uint32_t>(this->memory, kFirst).value(), 0xbeef'0000U);
  EXPECT_EQ(load_acquire<std::uint16_t>(this->memory, kFirst + 1).error(),
            (MemoryFault{MemoryFault::Reason::kMisaligned, kFirst + 1}));
  EXPECT_EQ(store_release<std::uint64_t>(this->memory, kEnd, 1).error(), unmapped_at(kEnd));
  const GuestPhysAddr top(std::numeric_limits<std::uint64_t>::max() - 1);
  EXPECT_FALSE(load_acquire<std::uint64_t>(this->memory, top));
}

TYPED_TEST(GuestMemoryContract, ExportsVectorsThatTheKernelCanFill) {
  std::array<int, 2> ends{};
  ASSERT_EQ(pipe(ends.data()), 0);
  const UniqueFd reader(ends[0]);
  const UniqueFd writer(ends[1]);
  std::vector<std::byte> sent(3 * kPageSize);
  for (std::size_t i = 0; i < sent.size(); ++i) {
    sent.at(i) = static_cast<std::byte>(i / 16);
  }
  ASSERT_TRUE(write_all(writer.get(), sent));
  const GuestPhysAddr start = kFirst + 1000;
  const auto spans = this->memory.spans(GuestPhysRange::of(start, sent.size()), Access::write());
  ASSERT_TRUE(spans);
  const IoVectors vectors(*spans);
  ASSERT_EQ(
      readv(reader.get(), vectors.vectors().data(), static_cast<int>(vectors.vectors().size())),
      static_cast<ssize_t>(sent.size()));
  std::vector<std::byte> received(sent.size());
  ASSERT_TRUE(this->memory.read(start, received));
  EXPECT_EQ(received, sent);
}

TEST(IoVectors, HoldsMoreSpansThanFitInItself) {
  testing::FakeGuestMemory memory;
  memory.add(GuestPhysRange::of(GuestPhysAddr(0), 9 * kPageSize), Access::read());
  const auto spans =
      memory.spans(GuestPhysRange::of(GuestPhysAddr(1), 8 * kPageSize), Access::read());
  ASSERT_TRUE(spans);
  const IoVectors vectors(*spans);
  ASSERT_EQ(vectors.vectors().size(), 9U);
  EXPECT_EQ(vectors.vectors().front().iov_len, kPageSize - 1);
  EXPECT_EQ(vectors.vectors().back().iov_len, 1U);
  EXPECT_EQ(vectors.vectors().back().iov_base, spans->spans().back().data());
}

TEST(FakeGuestMemory, DeniesWhatAPageDoesNotAllow) {
  testing::FakeGuestMemory memory;
  memory.add(GuestPhysRange::of(GuestPhysAddr(0), kPageSize), Access::all());
  memory.add(GuestPhysRange::of(GuestPhysAddr(kPageSize), kPageSize), Access::read());
  const auto refused = memory.zero(GuestPhysRange::of(GuestPhysAddr(kPageSize - 1), 2));
  EXPECT_EQ(refused.error(), (MemoryFault{MemoryFault::Reason::kDenied, GuestPhysAddr(kPageSize)}));
}

TEST(SpaceMemory, DeniesWhatAnAreaDoesNotAllowAndSaysWhoAsked) {
  SpaceWorld world;
  const GuestPhysRange rom = GuestPhysRange::of(kEnd, kPageSize);
  ASSERT_TRUE(world.space->map_alloc(
      rom, Populate::kNow,
      {.name = "rom", .access = Access::read(), .audit = AuditPolicy::kViolations}));
  const GuestPhysRange across = GuestPhysRange::of(GuestPhysAddr(kEnd.value() - 4), 8);
  ASSERT_FALSE(world.memory.zero(across));
  EXPECT_EQ(world.memory.zero(across).error(), (MemoryFault{MemoryFault::Reason::kDenied, kEnd}));
  EXPECT_EQ(world.space->audit_log().violations(), 2U);
  const auto records = world.space->audit_log().records();
  ASSERT_EQ(records.size(), 2U);
  EXPECT_EQ(records.front(), (AuditRecord{.sequence = 0,
                                          .actor = {.kind = Actor::Kind::kDevice, .index = 1},
                                          .range = across,
                                          .access = Access::write(),
                                          .verdict = AuditVerdict::kDenied}));
}

TEST(SpaceMemory, TellsAListenerOfWatchedAndOfFailingAccesses) {
  class Listener final : public AuditListener {
   public:
    void recorded(const AuditRecord& record) override { records.push_back(record); }
    std::vector<AuditRecord> records;
  };
  SpaceWorld world;
  Listener listener;
  world.space->set_audit_listener(&listener);
  const GuestPhysRange rom = GuestPhysRange::of(kEnd, kPageSize);
  ASSERT_TRUE(
      world.space->map_alloc(rom, Populate::kNow, {.name = "rom", .access = Access::read()}));
  ASSERT_TRUE(
      world.space->set_audit_policy(GuestPhysRange::of(kSeam, kPageSize), AuditPolicy::kAll));

  ASSERT_TRUE(world.memory.write_object(kSeam + 8, std::uint32_t{7}));
  ASSERT_TRUE(world.memory.write_object(kSeam + kPageSize, std::uint32_t{7})) << "not watched";
  ASSERT_FALSE(world.memory.write_object(kEnd, std::uint32_t{7}));
  ASSERT_FALSE(world.memory.read_object<std::uint16_t>(kEnd + kPageSize));
  world.space->set_audit_listener(nullptr);
  ASSERT_FALSE(world.memory.write_object(kEnd, std::uint32_t{7}));

  constexpr Actor kDevice{.kind = Actor::Kind::kDevice, .index = 1};
  const std::vector<AuditRecord> expected = {
      {0, kDevice, GuestPhysRange::of(kSeam + 8, 4), Access::write(), AuditVerdict::kAllowed},
      {1, kDevice, GuestPhysRange::of(kEnd, 4), Access::write(), AuditVerdict::kDenied},
      {2, kDevice, GuestPhysRange::of(kEnd + kPageSize, 2), Access::read(),
       AuditVerdict::kUnmapped}};
  EXPECT_EQ(listener.records, expected);
}

TEST(SpaceMemory, PopulatesOnlyThePagesThatAreTouched) {
  SpaceWorld world;
  ASSERT_TRUE(world.memory.write_object(kSeam + 5 * kPageSize, std::uint32_t{7}));
  EXPECT_EQ(world.space->statistics().resident_alloc, k2MiB + kPageSize);
}

TEST(SpaceMemory, ReportsThatNoMemoryIsLeftWithTheAddress) {
  SpaceWorld world;
  world.pool->set_limit(world.pool->statistics().committed);
  EXPECT_EQ(world.memory.write_object(kSeam + 8, std::uint32_t{7}).error(),
            (MemoryFault{MemoryFault::Reason::kOutOfMemory, kSeam + 8}));
}

}  // namespace
}  // namespace nestling
