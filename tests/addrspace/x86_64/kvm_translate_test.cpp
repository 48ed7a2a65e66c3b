// Our walk against KVM's: random tables in every paging mode, each address asked of both.
//
// KVM_TRANSLATE walks for a read by the supervisor: it refuses what is not present, reserved bits
// and user pages under SMAP, and marks entries accessed. Writes, fetches and users are compared in
// kvm_fault_test.cpp, by making the accesses.
#include <algorithm>
#include <cstdlib>
#include <vector>

#include <gtest/gtest.h>

#include "addrspace/x86_64/stage1_walk.h"
#include "tests/support/fake_table_memory.h"
#include "tests/support/oracle_vcpu.h"
#include "tests/support/random_x86_tables.h"

namespace nestling::x86_64 {
namespace {

constexpr std::uint64_t kRamSize = 2ULL << 20;
constexpr GuestAccess kRead{AccessKind::kRead, Privilege::kSupervisor};

std::uint64_t seed() {
  const char* given = std::getenv("NESTLING_SEED");
  return given != nullptr ? std::strtoull(given, nullptr, 0) : 20'261'123;
}
int image_count() { return std::getenv("NESTLING_NIGHTLY") != nullptr ? 500 : 20; }

/// How often the two walks met each kind of end, to prove that all of them occur.
struct Tally {
  int translated = 0;
  int large_pages = 0;
  int not_present = 0;
  int reserved = 0;
  int no_memory = 0;

  void count(const GuestWalk& walk) {
    if (walk.outcome) {
      ++translated;
      large_pages += walk.outcome->page_size > kPageSize ? 1 : 0;
      return;
    }
    const auto* fault = std::get_if<PagingFault>(&walk.outcome.error());
    if (fault == nullptr) {
      ++no_memory;
    } else if ((fault->error_code & kFaultReserved) != 0) {
      ++reserved;
    } else if ((fault->error_code & kFaultPresent) == 0) {
      ++not_present;
    }
  }
};

/// Whether this KVM walks tables in `mode` at all: some take every mode but long mode for none, and
/// answer an address with itself.
bool walks_tables(OracleVcpu& vcpu, PagingMode mode) {
  const auto set = [&](std::uint64_t address, std::uint64_t entry) {
    std::memcpy(&vcpu.ram()[address], &entry, stage1::entry_size(mode));
  };
  PagingState state;
  state.cr0 = 0x11 | kCr0Paging;
  state.cr3 = 0x1000;
  state.cr4 = mode == PagingMode::kPae ? kCr4Pae : 0;
  set(0x1000, mode == PagingMode::kPae ? 0x2001 : 0x3007);
  set(0x2000, 0x3007);
  set(0x3000, 0x12'3007);
  const auto loaded = vcpu.load(state);
  const auto gpa = vcpu.translate(GuestVirtAddr(0x678));
  return loaded && gpa && *gpa == GuestPhysAddr(0x12'3678);
}

/// Top entries of PAE that KVM will load: flags it reserves are clear, the tables are in memory.
void make_top_entries_valid(Random& random, std::span<std::byte> memory, const PagingState& state) {
  for (std::uint64_t index = 0; index < 4; ++index) {
    const std::uint64_t entry =
        (random() % kRamSize & ~0xfffULL) | (random() & 0xe18) | (one_in(random, 6) ? 0 : 1);
    std::memcpy(&memory[state.cr3 + index * 8], &entry, sizeof entry);
  }
}

class KvmTranslate : public testing::TestWithParam<PagingMode> {
 protected:
  void SetUp() override {
    auto created = OracleVcpu::create(kRamSize);
    if (!created) {
      GTEST_SKIP() << created.error().message;
    }
    vcpu = std::make_unique<OracleVcpu>(std::move(*created));
    if (GetParam() == PagingMode::k5Level && (vcpu->cr4_features() & kCr4FiveLevels) == 0) {
      GTEST_SKIP() << "this host's KVM has no LA57";
    }
    const bool legacy = GetParam() == PagingMode::k32Bit || GetParam() == PagingMode::kPae;
    if (legacy && !walks_tables(*vcpu, GetParam())) {
      GTEST_SKIP() << "this host's KVM walks no tables outside long mode";
    }
  }

  /// Fills memory, loads registers, and leaves a copy of the memory in `tables`.
  [[nodiscard]] PagingState prepare(FakeTableMemory& tables) {
    PagingState state = random_state(random, GetParam(), vcpu->cr4_features(), vcpu->features());
    if (!vcpu->has_no_execute()) {
      state.efer &= ~kEferNoExecute;
    }
    fill_with_entries(random, GetParam(), vcpu->ram(), kRamSize);
    state.cr3 = random() % kRamSize & ~0xfffULL;
    if (GetParam() == PagingMode::kPae) {
      state.cr3 |= random() & 0xfe0;
      make_top_entries_valid(random, vcpu->ram(), state);
    }
    std::copy(vcpu->ram().begin(), vcpu->ram().end(), tables.bytes().begin());
    const auto loaded = vcpu->load(state);
    EXPECT_TRUE(loaded) << loaded.error().message;
    return state;
  }

  std::unique_ptr<OracleVcpu> vcpu;
  Random random{seed()};
  Tally tally;
};

TEST_P(KvmTranslate, AgreesOnRandomTables) {
  SCOPED_TRACE("NESTLING_SEED=" + std::to_string(seed()));
  FakeTableMemory tables(kRamSize);
  // Without tables there is little to disagree about.
  const int addresses_per_image = GetParam() == PagingMode::kOff ? 20 : 250;
  for (int image = 0; image < image_count(); ++image) {
    const PagingState state = prepare(tables);
    for (int i = 0; i < addresses_per_image; ++i) {
      const GuestVirtAddr gva = random_address(random, GetParam());
      const auto theirs = vcpu->translate(gva);
      ASSERT_TRUE(theirs) << theirs.error().message;
      const GuestWalk ours = walk(tables, state, gva, kRead, TableUpdate::kAccessedDirty);
      tally.count(ours);
      const auto gpa = ours.outcome ? std::optional(ours.outcome->gpa) : std::nullopt;
      ASSERT_EQ(gpa.has_value(), theirs->has_value())
          << "image " << image << ", address " << std::hex << gva.value() << ", cr4 " << state.cr4
          << ", cr0 " << state.cr0 << ", efer " << state.efer << ", last entry "
          << (ours.trace.steps().empty() ? 0 : ours.trace.steps().back().entry) << " at level "
          << (ours.trace.steps().empty() ? 0 : ours.trace.steps().back().level) << ", ac "
          << state.alignment_check;
      ASSERT_EQ(gpa, *theirs) << "image " << image << ", address " << std::hex << gva.value();
    }
    ASSERT_TRUE(std::equal(tables.bytes().begin(), tables.bytes().end(), vcpu->ram().begin()))
        << "the accessed flags differ, image " << image;
  }
  EXPECT_GT(tally.translated, 100);
  if (GetParam() != PagingMode::kOff) {
    EXPECT_GT(tally.not_present, 100);
    EXPECT_GT(tally.no_memory, 10);
    EXPECT_GT(tally.large_pages, 10);
    EXPECT_GT(tally.reserved, 10);
  }
}

std::string mode_name(const testing::TestParamInfo<PagingMode>& info) {
  constexpr std::array kNames{"Off", "Legacy", "Pae", "FourLevels", "FiveLevels"};
  return kNames.at(static_cast<std::size_t>(info.param));
}

INSTANTIATE_TEST_SUITE_P(Modes, KvmTranslate,
                         testing::Values(PagingMode::kOff, PagingMode::k32Bit, PagingMode::kPae,
                                         PagingMode::k4Level, PagingMode::k5Level),
                         mode_name);

}  // namespace
}  // namespace nestling::x86_64
