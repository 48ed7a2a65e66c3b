// The same frames seen four ways, on every fault path: by the guest that wrote them, through
// GuestMemory, in our stage-2 table read by a second decoder, and in the host's own page tables.
#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstring>
#include <map>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "boot/flat_image.h"
#include "tests/support/fake_byte_sink.h"
#include "tests/support/fake_room_listener.h"
#include "tests/support/rare_host.h"
#include "tests/support/row_writer.h"
#include "tests/support/table_oracle.h"
#include "tests/support/tiny_programs.h"
#include "vmm/machine.h"

namespace nestling {
namespace {

namespace oracle = testing::oracle;
using testing::Row;

constexpr std::uint64_t kMiB = 1ULL << 20;
constexpr std::uint64_t kMemory = 64 * kMiB;
/// Where RAM starts: the tiny programs stand in its second MiB.
const std::uint64_t kRam = tiny_programs().address.value() - kMiB;
/// Guest addresses in the hole behind RAM that show part of RAM once more.
constexpr std::uint64_t kAlias = 0x8000'0000;
const std::uint64_t kAliased = kRam + 32 * kMiB;
constexpr std::uint64_t kAliasSize = 2 * kMiB;

/// Far apart, page by page over two huge pages, and through the alias.
const std::array kRows = {Row{kRam + 4 * kMiB, 200, 0x7000}, Row{kRam + 16 * kMiB, 1024, kPageSize},
                          Row{kAlias + 8, 100, 0x3000}};

/// What the host says of the pages of this process.
class HostPages {
 public:
  struct Page {
    bool is_present = false;
    std::uint64_t frame_number = 0;  ///< 0 where the host does not tell
    bool is_hugetlb = false;
  };

  [[nodiscard]] Page at(const std::byte* address) const {
    constexpr std::uint64_t kPresent = 1ULL << 63;
    constexpr std::uint64_t kFrameNumber = (1ULL << 55) - 1;
    constexpr std::uint64_t kHugeFlag = 1ULL << 17;
    const auto entry = word(maps_, reinterpret_cast<std::uintptr_t>(address) / kPageSize);
    Page page{.is_present = (entry & kPresent) != 0};
    page.frame_number = page.is_present ? entry & kFrameNumber : 0;
    page.is_hugetlb =
        page.frame_number != 0 && flags_ && (word(flags_, page.frame_number) & kHugeFlag) != 0;
    return page;
  }

 private:
  static std::uint64_t word(const UniqueFd& file, std::uint64_t index) {
    std::uint64_t value = 0;
    const auto got =
        pread(file.get(), &value, sizeof value, static_cast<off_t>(index * sizeof value));
    EXPECT_EQ(got, static_cast<ssize_t>(sizeof value));
    return value;
  }

  UniqueFd maps_{open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC)};
  UniqueFd flags_{open("/proc/kpageflags", O_RDONLY | O_CLOEXEC)};
};

struct Case {
  LazyPath path = LazyPath::kHost;
  bool hugetlb = false;
};

class FourWays : public ::testing::TestWithParam<Case> {
 protected:
  void SetUp() override {
    auto kvm = KvmSystem::open();
    if (!kvm) {
      GTEST_SKIP() << kvm.error().message;
    }
    const std::vector<std::byte> code = testing::row_writer(kRows);
    const auto image = make_flat_image(code, tiny_programs().address, tiny_programs().architecture);
    ASSERT_TRUE(image);
    MachineConfig config;
    config.memory.size = kMemory;
    config.memory.path = GetParam().path;
    if (GetParam().hugetlb) {
      config.memory.huge = PageSize::k2MiB;
    }
    auto machine = Machine::create(*kvm, *image, config,
                                   {.console = console_, .console_room = room_, .log = log_});
    if (!machine) {
      if (GetParam().path == LazyPath::kFault) {
        testing::may_run_nowhere(testing::kFewHaveMemoryFaults);
      }
      GTEST_SKIP() << machine.error().message;
    }
    machine_ = *std::move(machine);
    const auto aliased = GuestPhysRange::of(GuestPhysAddr(kAliased), kAliasSize);
    ASSERT_TRUE(space().populate(aliased));
    const auto mapped =
        space().map_linear(GuestPhysRange::of(GuestPhysAddr(kAlias), kAliasSize),
                           space().translate(aliased.start()).value(), {.name = "alias"});
    ASSERT_TRUE(mapped) << describe(mapped.error());
  }

  [[nodiscard]] AddressSpace& space() { return machine_->ram().space(); }

  /// Our table's page at `gpa`, as hardware would read it; nothing where it reads a hole.
  [[nodiscard]] std::optional<oracle::Page> table_page(std::uint64_t gpa) {
    const Stage2Table& table = space().table();
    const bool is_ept = table.kind() == Stage2Kind::kEpt4;
    EXPECT_TRUE(is_ept || table.kind() == Stage2Kind::kAArch64FourLevels);
    const oracle::Outcome outcome =
        oracle::look_up({.hardware = is_ept ? oracle::Hardware::kEpt : oracle::Hardware::kAArch64,
                         .levels = 4,
                         .gpa_bits = table.gpa_bits(),
                         .memory = space().pool().pointer(HostPhysAddr(0)),
                         .root = table.root().value()},
                        gpa);
    EXPECT_FALSE(std::holds_alternative<oracle::Malformed>(outcome)) << oracle::describe(outcome);
    const auto* const page = std::get_if<oracle::Page>(&outcome);
    return page == nullptr ? std::nullopt : std::optional(*page);
  }

  /// Looks at `gpa`, where the guest wrote `value`, in the three other ways.
  void expect_seen(std::uint64_t gpa, std::uint64_t value) {
    SCOPED_TRACE(fmt::format("guest address {:#x}", gpa));
    const auto read = machine_->ram().memory().read_object<std::uint64_t>(GuestPhysAddr(gpa));
    ASSERT_TRUE(read);
    EXPECT_EQ(*read, value);
    const auto page = table_page(gpa);
    ASSERT_TRUE(page) << "a hole in our table";
    const std::byte* const byte = space().pool().pointer(HostPhysAddr(page->host));
    std::uint64_t in_frame = 0;
    std::memcpy(&in_frame, byte, sizeof in_frame);
    EXPECT_EQ(in_frame, value);
    const HostPages::Page host = host_.at(byte);
    EXPECT_TRUE(host.is_present);
    EXPECT_EQ(host.is_hugetlb, GetParam().hugetlb && host.frame_number != 0);
    if (host.frame_number != 0) {
      ++frames_seen_;
      const auto [known, is_new] = frames_.emplace(page->host / kPageSize, host.frame_number);
      EXPECT_TRUE(is_new || known->second == host.frame_number);
    }
  }

  FakeByteSink console_;
  FakeRoomListener room_;
  Log log_{Verbosity::kNormal};
  std::unique_ptr<Machine> machine_;
  HostPages host_;
  std::map<std::uint64_t, std::uint64_t> frames_;  // the host's frame by page of the pool
  std::uint64_t frames_seen_ = 0;
};

TEST_P(FourWays, AreTheSameFrames) {
  const Verdict verdict = machine_->run(std::chrono::steady_clock::now());
  ASSERT_EQ(verdict.kind, VerdictKind::kGuestExit) << verdict.reason;
  ASSERT_EQ(verdict.guest_status, 0U) << "the guest itself does not read what it wrote";
  ASSERT_TRUE(machine_->ram().learn_residency());
  for (const Row& row : kRows) {
    for (std::uint64_t i = 0; i < row.count; ++i) {
      const std::uint64_t gpa = row.start + i * row.stride;
      ASSERT_NO_FATAL_FAILURE(expect_seen(gpa, gpa));
      if (gpa >= kAlias) {
        ASSERT_NO_FATAL_FAILURE(expect_seen(gpa - kAlias + kAliased, gpa));
      }
    }
  }
  // Root sees frames, and no frame stands behind two pages.
  EXPECT_TRUE(frames_seen_ == 0 || frames_.size() == 200 + 1024 + 100);
  std::set<std::uint64_t> distinct;
  for (const auto& [page, frame] : frames_) {
    distinct.insert(frame);
  }
  EXPECT_EQ(distinct.size(), frames_.size());
}

TEST_P(FourWays, KnowOfEveryPageThatTheHostHasResident) {
  ASSERT_EQ(machine_->run(std::chrono::steady_clock::now()).guest_status, 0U);
  ASSERT_TRUE(machine_->ram().learn_residency());
  std::uint64_t resident = 0;
  std::uint64_t unknown = 0;
  for (const GuestRam::Region& region : machine_->ram().regions()) {
    for (std::uint64_t offset = 0; offset < region.guest.size(); offset += kPageSize) {
      const std::byte* const host = &region.host[offset];
      const auto page = table_page((region.guest.start() + offset).value());
      if (page) {
        EXPECT_EQ(space().pool().pointer(HostPhysAddr(page->host)), host);
      }
      if (host_.at(host).is_present) {
        ++resident;
        unknown += page ? 0U : 1U;
      }
    }
  }
  EXPECT_EQ(unknown, 0U) << "of " << resident << " resident pages";
  EXPECT_GE(resident, 200U + 1024 + 100);
}

TEST_P(FourWays, AgreeOnHugePages) {
  ASSERT_EQ(machine_->run(std::chrono::steady_clock::now()).guest_status, 0U);
  ASSERT_TRUE(machine_->ram().learn_residency());
  // The dense row fills two huge pages.
  const Row& dense = kRows[1];
  for (const std::uint64_t start : {dense.start, dense.start + 2 * kMiB}) {
    const auto page = table_page(start);
    ASSERT_TRUE(page);
    if (GetParam().hugetlb) {
      EXPECT_EQ(page->size, 2 * kMiB) << "the table maps a huge page of the host's in pieces";
    }
    EXPECT_EQ(page->host % (2 * kMiB), 0U) << "no huge page can stand there";
    const HostPages::Page first = host_.at(space().pool().pointer(HostPhysAddr(page->host)));
    if (!first.is_hugetlb) {
      continue;
    }
    EXPECT_EQ(first.frame_number % 512, 0U);
    for (std::uint64_t i = 1; i < 512; ++i) {
      const auto next = host_.at(space().pool().pointer(HostPhysAddr(page->host + i * kPageSize)));
      ASSERT_EQ(next.frame_number, first.frame_number + i);
    }
  }
}

std::string case_name(const ::testing::TestParamInfo<Case>& info) {
  std::string name(name_of(info.param.path));
  name[0] = static_cast<char>(std::toupper(name[0]));
  return name + (info.param.hugetlb ? "Hugetlb" : "");
}

INSTANTIATE_TEST_SUITE_P(Paths, FourWays,
                         ::testing::Values(Case{LazyPath::kUffd}, Case{LazyPath::kMmio},
                                           Case{LazyPath::kFault}, Case{LazyPath::kHost},
                                           Case{LazyPath::kOff}, Case{LazyPath::kMmio, true},
                                           Case{LazyPath::kHost, true}, Case{LazyPath::kOff, true}),
                         case_name);

}  // namespace
}  // namespace nestling
