// Guests of a few instructions on the host's KVM, once on each fault path that the host offers.
#include <array>
#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "boot/flat_image.h"
#include "tests/support/fake_byte_sink.h"
#include "tests/support/fake_room_listener.h"
#include "tests/support/rare_host.h"
#include "vmm/machine.h"

namespace nestling {
namespace {

using namespace std::chrono_literals;
using std::chrono::steady_clock;
using Code = std::vector<std::uint8_t>;

constexpr std::uint64_t kKiB = 1ULL << 10;
constexpr std::uint64_t kMiB = 1ULL << 20;

GuestPhysRange guest(std::uint64_t start, std::uint64_t size) {
  return GuestPhysRange::of(GuestPhysAddr(start), size);
}

// Reads zero from, then writes, every page of [4 MiB, 8 MiB); then finds what it wrote.
const Code kTouchEveryPage = {0xbf, 0x00, 0x00, 0x40, 0x00,              // mov edi, 0x400000
                              0x48, 0x8b, 0x07,                          // mov rax, [rdi]
                              0x48, 0x85, 0xc0,                          // test rax, rax
                              0x75, 0x32,                                // jnz fail
                              0x48, 0x89, 0x3f,                          // mov [rdi], rdi
                              0x48, 0x81, 0xc7, 0x00, 0x10, 0x00, 0x00,  // add rdi, 0x1000
                              0x48, 0x81, 0xff, 0x00, 0x00, 0x80, 0x00,  // cmp rdi, 0x800000
                              0x72, 0xe5,                                // jb to the read
                              0xbf, 0x00, 0x00, 0x40, 0x00,              // mov edi, 0x400000
                              0x48, 0x39, 0x3f,                          // cmp [rdi], rdi
                              0x75, 0x15,                                // jne fail
                              0x48, 0x81, 0xc7, 0x00, 0x10, 0x00, 0x00,  // add rdi, 0x1000
                              0x48, 0x81, 0xff, 0x00, 0x00, 0x80, 0x00,  // cmp rdi, 0x800000
                              0x72, 0xeb,                                // jb to the comparison
                              0xb0, 0x2a, 0xe6, 0xf4, 0xf4,              // exit 42
                              0xb0, 0x01, 0xe6, 0xf4, 0xf4};             // fail: exit 1

// Eight bytes over the edge between two pages that nobody touched, read back in two pieces.
const Code kStraddle = {
    0x48, 0xb8, 0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11,  // mov rax, 0x1122334455667788
    0x48, 0x89, 0x04, 0x25, 0xfc, 0x0f, 0x40, 0x00,              // mov [0x400ffc], rax
    0x81, 0x3c, 0x25, 0xfc, 0x0f, 0x40, 0x00, 0x88, 0x77, 0x66, 0x55,  // cmp dword [0x400ffc], …
    0x75, 0x12,                                                        // jne fail
    0x81, 0x3c, 0x25, 0x00, 0x10, 0x40, 0x00, 0x44, 0x33, 0x22, 0x11,  // cmp dword [0x401000], …
    0x75, 0x05,                                                        // jne fail
    0xb0, 0x2a, 0xe6, 0xf4, 0xf4,                                      // exit 42
    0xb0, 0x01, 0xe6, 0xf4, 0xf4};                                     // fail: exit 1

// Writes "exit 42" to the start of a page and runs into it from the untouched page before, whose
// zeros are eight times add [rax], al.
const Code kFetchFromUntouchedPage = {
    0x48, 0xb8, 0xb0, 0x2a, 0xe6, 0xf4, 0xf4, 0x90, 0x90, 0x90,  // mov rax, the bytes of exit 42
    0x48, 0x89, 0x04, 0x25, 0x00, 0x10, 0x60, 0x00,              // mov [0x601000], rax
    0xb8, 0x00, 0x00, 0x50, 0x00,                                // mov eax, 0x500000
    0xbb, 0xf0, 0x0f, 0x60, 0x00,                                // mov ebx, 0x600ff0
    0xff, 0xe3};                                                 // jmp rbx

// Writes to a page at 5 MiB, and finds there what was there before: nothing.
const Code kWriteToRom = {
    0xc7, 0x04, 0x25, 0x08, 0x00, 0x50, 0x00, 0x01, 0x00, 0x00, 0x00,  // mov dword [0x500008], 1
    0x83, 0x3c, 0x25, 0x08, 0x00, 0x50, 0x00, 0x00,                    // cmp dword [0x500008], 0
    0x75, 0x05,                                                        // jne fail
    0xb0, 0x2a, 0xe6, 0xf4, 0xf4,                                      // exit 42
    0xb0, 0x01, 0xe6, 0xf4, 0xf4};                                     // fail: exit 1

// Adds one to a word in each of 64 pages from 4 MiB on, for ever.
const Code kTouchForEver = {0xbf, 0x00, 0x00, 0x40, 0x00,              // mov edi, 0x400000
                            0x48, 0xff, 0x07,                          // inc qword [rdi]
                            0x48, 0x81, 0xc7, 0x00, 0x10, 0x00, 0x00,  // add rdi, 0x1000
                            0x48, 0x81, 0xff, 0x00, 0x00, 0x44, 0x00,  // cmp rdi, 0x440000
                            0x72, 0xed,                                // jb to the addition
                            0xeb, 0xe6};                               // jmp to the start

class LazyPaths : public ::testing::TestWithParam<LazyPath> {
 protected:
  void SetUp() override {
    auto kvm = KvmSystem::open();
    if (!kvm) {
      GTEST_SKIP() << kvm.error().message;
    }
    kvm_.emplace(*std::move(kvm));
  }

  /// Null when the host does not offer the path; then the test is skipped with the reason.
  [[nodiscard]] std::unique_ptr<Machine> machine(const Code& code, MachineConfig config = {}) {
    config.memory.size = 16 * kMiB;
    config.memory.path = GetParam();
    const auto image =
        make_flat_image(std::as_bytes(std::span(code)), GuestPhysAddr(kMiB), Architecture::kX86_64);
    EXPECT_TRUE(image);
    auto made = Machine::create(*kvm_, *image, config,
                                {.console = console_, .console_room = room_, .log = log_});
    if (!made && made.error().kind == ErrorKind::kUsage) {
      if (GetParam() == LazyPath::kFault) {
        testing::may_run_nowhere(testing::kFewHaveMemoryFaults);
      }
      [&] { GTEST_SKIP() << made.error().message; }();
      return nullptr;
    }
    EXPECT_TRUE(made) << made.error().message;
    return made ? *std::move(made) : nullptr;
  }

  static void expect_exit_42(const Verdict& verdict) {
    EXPECT_EQ(verdict.kind, VerdictKind::kGuestExit) << verdict.reason;
    EXPECT_EQ(verdict.guest_status, 42U);
  }
  [[nodiscard]] static bool sees_faults() {
    return GetParam() == LazyPath::kUffd || GetParam() == LazyPath::kMmio ||
           GetParam() == LazyPath::kFault;
  }
  static std::uint64_t resident(Machine& machine) {
    return machine.ram().space().statistics().resident_alloc;
  }
  static std::string defect(Machine& machine) {
    const auto of_space = machine.ram().space().defect();
    return of_space ? *of_space : machine.memory().mirror().defect().value_or("");
  }

  std::optional<KvmSystem> kvm_;
  FakeByteSink console_;
  FakeRoomListener room_;
  Log log_{Verbosity::kNormal};
};

TEST_P(LazyPaths, GivesZerosOnFirstTouchAndKeepsWhatIsWritten) {
  for (const std::uint64_t granule : {4 * kKiB, 64 * kKiB, 2 * kMiB}) {
    const auto toucher = machine(kTouchEveryPage, {.memory = {.granule = granule}});
    if (toucher == nullptr) {
      return;
    }
    const std::uint64_t before = resident(*toucher);
    expect_exit_42(toucher->run(steady_clock::now()));
    if (sees_faults()) {
      EXPECT_EQ(resident(*toucher) - before, 4 * kMiB) << granule;
    }
    if (GetParam() == LazyPath::kHost) {
      ASSERT_TRUE(toucher->ram().learn_residency());
      EXPECT_GE(resident(*toucher), before + 4 * kMiB);
    }
    EXPECT_EQ(defect(*toucher), "");
  }
}

TEST_P(LazyPaths, IsExactForAnAccessOverTheEdgeOfTwoUntouchedPages) {
  const auto straddler = machine(kStraddle, {.memory = {.granule = kPageSize}});
  if (straddler != nullptr) {
    expect_exit_42(straddler->run(steady_clock::now()));
    EXPECT_EQ(defect(*straddler), "");
  }
}

TEST_P(LazyPaths, RunsCodeInAPageThatNobodyTouched) {
  const auto runner = machine(kFetchFromUntouchedPage, {.memory = {.granule = kPageSize}});
  if (runner == nullptr) {
    return;
  }
  expect_exit_42(runner->run(steady_clock::now()));
  if (GetParam() == LazyPath::kMmio) {
    EXPECT_GE(runner->memory().exits().statistics().fetches, 1U);
  }
}

TEST_P(LazyPaths, DiscardsAndCountsWritesToReadOnlyMemory) {
  const auto writer = machine(kWriteToRom);
  if (writer == nullptr) {
    return;
  }
  AddressSpace& space = writer->ram().space();
  ASSERT_TRUE(space.protect(guest(5 * kMiB, kPageSize), Access::read() | Access::execute()));
  expect_exit_42(writer->run(steady_clock::now()));
  EXPECT_EQ(writer->memory().exits().statistics().denied_writes, 1U);
  EXPECT_EQ(defect(*writer), "");
}

TEST_P(LazyPaths, EndsTheRunOverSuchAWriteWhereItIsStrict) {
  const auto writer = machine(kWriteToRom, {.unclaimed = UnclaimedPolicy::kStop});
  if (writer == nullptr) {
    return;
  }
  AddressSpace& space = writer->ram().space();
  ASSERT_TRUE(space.protect(guest(5 * kMiB, kPageSize), Access::read() | Access::execute()));
  const Verdict verdict = writer->run(steady_clock::now());
  EXPECT_EQ(verdict.kind, VerdictKind::kUnhandledExit);
  EXPECT_EQ(verdict.reason, "4-byte write to read-only memory at 0x500008");
}

TEST_P(LazyPaths, ReadsOnesInAHole) {
  const auto reader = machine(kWriteToRom);
  if (reader == nullptr) {
    return;
  }
  ASSERT_TRUE(reader->ram().space().unmap(guest(5 * kMiB, kPageSize)));
  EXPECT_EQ(reader->run(steady_clock::now()).guest_status, 1U) << "it read back what is not there";
  EXPECT_EQ(reader->unclaimed_count(), 2U);
  EXPECT_EQ(defect(*reader), "");
}

TEST_P(LazyPaths, StopsAtTheMemoryLimitWithNumbers) {
  if (GetParam() == LazyPath::kHost || GetParam() == LazyPath::kOff) {
    return;  // these refuse a limit, or have everything before they start
  }
  const auto toucher =
      machine(kTouchEveryPage, {.memory = {.granule = kPageSize, .limit = 3 * kMiB}});
  if (toucher == nullptr) {
    return;
  }
  const Verdict verdict = toucher->run(steady_clock::now());
  EXPECT_EQ(verdict.kind, VerdictKind::kHostRefused);
  EXPECT_NE(verdict.reason.find("--memory-limit allows 3072 KiB"), std::string::npos)
      << verdict.reason;
  EXPECT_LE(toucher->ram().pool().statistics().committed, 3 * kMiB);
  EXPECT_GT(toucher->ram().pool().statistics().committed, 2 * kMiB);
}

TEST_P(LazyPaths, LetsMemoryBeDiscardedProtectedAndUnmappedWhileTheGuestRuns) {
  const auto toucher = machine(kTouchForEver, {.memory = {.granule = kPageSize}});
  if (toucher == nullptr) {
    return;
  }
  AddressSpace& space = toucher->ram().space();
  std::string trouble;
  std::thread changer([&] {
    const auto note = [&](const char* what, const Result<void, SpaceError>& done) {
      if (!done) {
        trouble += std::string(what) + ": " + describe(done.error()) + "\n";
      }
    };
    for (int round = 0; round < 25; ++round) {
      note("discard", space.discard(guest(4 * kMiB, 32 * kPageSize)));
      note("protect", space.protect(guest(4 * kMiB + 3 * kPageSize, kPageSize), Access::read()));
      note("protect", space.protect(guest(4 * kMiB + 3 * kPageSize, kPageSize), Access::all()));
      note("unmap", space.unmap(guest(4 * kMiB + 40 * kPageSize, 4 * kPageSize)));
      std::this_thread::sleep_for(1ms);
      note("map", space.map_alloc(guest(4 * kMiB + 40 * kPageSize, 4 * kPageSize),
                                  Populate::kOnTouch, {.name = "again"}));
    }
    toucher->stop({.kind = VerdictKind::kTimeout, .reason = "enough"});
  });
  const Verdict verdict = toucher->run(steady_clock::now());
  changer.join();
  EXPECT_EQ(verdict.kind, VerdictKind::kTimeout) << verdict.reason;
  EXPECT_EQ(trouble, "");
  EXPECT_EQ(defect(*toucher), "");
}

INSTANTIATE_TEST_SUITE_P(, LazyPaths,
                         ::testing::Values(LazyPath::kAuto, LazyPath::kHost, LazyPath::kOff,
                                           LazyPath::kUffd, LazyPath::kMmio, LazyPath::kFault),
                         [](const auto& each) { return std::string(name_of(each.param)); });

}  // namespace
}  // namespace nestling
