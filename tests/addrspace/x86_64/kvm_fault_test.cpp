// Our walk against the processor itself: accesses made by a tiny guest over random tables, of every
// kind and at both privileges; where they go, the error code of the #PF, and the flags left behind.
#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>

#include <gtest/gtest.h>

#include "addrspace/x86_64/stage1_walk.h"
#include "tests/support/access_probe.h"
#include "tests/support/fake_table_memory.h"
#include "tests/support/random_x86_tables.h"

namespace nestling::x86_64 {
namespace {

constexpr std::uint64_t kTestRam = AccessProbe::kTestRam;
constexpr std::uint64_t kTables = 1ULL << 20;        // tables below, landing bytes above
constexpr std::uint64_t kAddressLimit = 3ULL << 19;  // a third of the addresses are above
constexpr int kAccessesPerImage = 120;

std::uint64_t seed() {
  const char* given = std::getenv("NESTLING_SEED");
  return given != nullptr ? std::strtoull(given, nullptr, 0) : 20'261'123;
}
int image_count() { return std::getenv("NESTLING_NIGHTLY") != nullptr ? 500 : 24; }

/// How often accesses ended in each way, to prove that all of them occur.
struct Tally {
  int done = 0;
  int mmio = 0;
  std::array<int, 64> faults{};
};

/// One VM with one image of random tables. KVM may shadow tables, so nobody but the guest changes
/// them once it has run.
class Image {
 public:
  Image(OracleVcpu& vcpu, Random& random)
      : vcpu_(vcpu), state_(prepare(vcpu, random)), probe_(vcpu, state_.cr3) {
    std::copy_n(vcpu.ram().begin(), kTestRam, tables_.bytes().begin());
  }

  /// Makes one random access and compares.
  void compare(Random& random, Tally& tally) {
    constexpr std::array kKinds{AccessKind::kRead, AccessKind::kWrite, AccessKind::kExecute};
    const GuestAccess access{kKinds.at(random() % 3),
                             one_in(random, 2) ? Privilege::kUser : Privilege::kSupervisor};
    GuestVirtAddr gva = random_address(random, PagingMode::k4Level);
    if (access.privilege == Privilege::kUser) {
      // kvm_pvm runs ring 3 on the host's CPU, where some of the upper half is the host's own.
      gva = GuestVirtAddr(gva.value() & 0x7fff'ffff'ffff);
    }
    if (stage1::index(PagingMode::k4Level, 4, gva) == 511) {
      return;  // the probe's own
    }
    const GuestWalk dry = walk(tables_, state_, gva, access);
    if (!is_comparable(dry, access)) {
      return;
    }
    // A write puts back the byte that is there, so that tables stay as they are.
    const bool in_ram = dry.outcome && dry.outcome->gpa.value() < kTestRam;
    const std::byte value = in_ram ? tables_.bytes().at(dry.outcome->gpa.value()) : std::byte{0x5a};
    const GuestWalk ours = walk(tables_, state_, gva, access, TableUpdate::kAccessedDirty);
    if (in_ram && access.kind == AccessKind::kWrite) {
      tables_.bytes().at(ours.outcome->gpa.value()) = value;
    }
    const auto theirs = probe_.make(state_, gva, access, static_cast<std::uint8_t>(value));
    ASSERT_TRUE(theirs) << theirs.error().message;
    SCOPED_TRACE(describe_case(ours, gva, access));
    if (!ours.outcome) {
      expect_fault(std::get<PagingFault>(ours.outcome.error()), gva, *theirs, tally);
    } else if (in_ram) {
      ASSERT_TRUE(std::holds_alternative<AccessProbe::Done>(*theirs)) << theirs->index();
      ++tally.done;
    } else {
      const auto* mmio = std::get_if<AccessProbe::Mmio>(&*theirs);
      ASSERT_NE(mmio, nullptr) << theirs->index();
      ASSERT_EQ(mmio->address, ours.outcome->gpa);
      ++tally.mmio;
    }
  }

  /// Dirty flags and all else agree. A processor may mark entries accessed for an access that
  /// faults, too; for one that is made it must.
  void compare_memory() {
    for (std::uint64_t gpa = 0; gpa < kTestRam; gpa += 8) {
      const std::uint64_t ours = tables_.get64(gpa);
      std::uint64_t theirs = 0;
      std::memcpy(&theirs, &vcpu_.ram()[gpa], sizeof theirs);
      ASSERT_EQ(theirs & ~stage1::kAccessed, ours & ~stage1::kAccessed) << std::hex << gpa;
      ASSERT_EQ(theirs & ours & stage1::kAccessed, ours & stage1::kAccessed) << std::hex << gpa;
    }
  }

 private:
  static PagingState prepare(OracleVcpu& vcpu, Random& random) {
    PagingState state =
        random_state(random, PagingMode::k4Level, vcpu.cr4_features(), vcpu.features());
    state.cr0 |= 1U << 5;
    if (!vcpu.has_no_execute()) {
      state.efer &= ~kEferNoExecute;
    }
    state.cr3 = random() % kTables & ~0xfffULL;
    const std::span<std::byte> tables = vcpu.ram().first(kTables);
    fill_with_entries(random, PagingMode::k4Level, tables, kAddressLimit);
    // AMD reserves bit 8 on top, which QEMU's processor does not know; kvm_translate_test.cpp
    // compares it with KVM.
    for (std::size_t second_byte = 1; second_byte < tables.size(); second_byte += 8) {
      tables[second_byte] &= std::byte{0xfe};
    }
    std::fill_n(vcpu.ram().begin() + kTables, kTestRam - kTables,
                std::byte{AccessProbe::kLandingByte});
    return state;
  }

  /// Whether the guest can tell us what becomes of the access: tables outside memory end it, and a
  /// fetch must land on the right byte.
  [[nodiscard]] static bool is_comparable(const GuestWalk& dry, GuestAccess access) {
    if (!dry.outcome) {
      return std::holds_alternative<PagingFault>(dry.outcome.error());
    }
    const std::uint64_t gpa = dry.outcome->gpa.value();
    const bool fetch = access.kind == AccessKind::kExecute;
    const bool own = gpa >= kTestRam && gpa < AccessProbe::kRamSize;
    return !own && (!fetch || (gpa >= kTables && gpa < kTestRam));
  }

  static void expect_fault(const PagingFault& ours, GuestVirtAddr gva,
                           const AccessProbe::Outcome& theirs, Tally& tally) {
    const auto* fault = std::get_if<AccessProbe::PageFault>(&theirs);
    ASSERT_NE(fault, nullptr) << theirs.index();
    // QEMU's processor, under a KVM it emulates, leaves P out where RSVD is set; others do not.
    const bool reserved = (fault->error_code & kFaultReserved) != 0;
    ASSERT_EQ(fault->error_code | (reserved ? kFaultPresent : 0), ours.error_code);
    ASSERT_EQ(fault->address, gva);
    ++tally.faults.at(ours.error_code);
  }

  [[nodiscard]] std::string describe_case(const GuestWalk& ours, GuestVirtAddr gva,
                                          GuestAccess access) const {
    std::string text =
        fmt::format("{:#x}, access {}, user {}, cr0 {:#x}, cr4 {:#x}, efer {:#x}:", gva.value(),
                    static_cast<int>(access.kind), access.privilege == Privilege::kUser, state_.cr0,
                    state_.cr4, state_.efer);
    for (const WalkStep& step : ours.trace.steps()) {
      text += fmt::format(" {}: {:#x}", step.level, step.entry);
    }
    return text;
  }

  OracleVcpu& vcpu_;
  PagingState state_;
  AccessProbe probe_;
  FakeTableMemory tables_{kTestRam};
};

TEST(KvmFault, EveryAccessEndsAsTheWalkSays) {
  SCOPED_TRACE("NESTLING_SEED=" + std::to_string(seed()));
  Random random(seed());
  Tally tally;
  for (int count = 0; count < image_count() && !testing::Test::HasFatalFailure(); ++count) {
    auto vcpu = OracleVcpu::create(AccessProbe::kRamSize);
    if (!vcpu) {
      GTEST_SKIP() << vcpu.error().message;
    }
    Image image(*vcpu, random);
    for (int i = 0; i < kAccessesPerImage && !testing::Test::HasFatalFailure(); ++i) {
      image.compare(random, tally);
    }
    image.compare_memory();
  }
  EXPECT_GT(tally.done, 20);
  EXPECT_GT(tally.mmio, 0);
  // Absent, denied and reserved; reads, writes and fetches; both privileges.
  for (const std::size_t code : {0U, 2U, 4U, 6U, 3U, 5U, 7U, 9U, 11U, 13U, 15U, 16U, 20U}) {
    EXPECT_GT(tally.faults.at(code), 0) << code;
  }
}

}  // namespace
}  // namespace nestling::x86_64
