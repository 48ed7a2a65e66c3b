// translate_virt on a running vCPU: a guest changes its own page tables as fast as it can, is
// stopped at any moment, and each address is then asked of both stages' walk and of KVM_TRANSLATE.
#include <pthread.h>
#include <signal.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "addrspace/address_space.h"
#include "addrspace/ram_pool.h"
#include "addrspace/space_memory.h"
#include "addrspace/space_stage2.h"
#include "tests/support/oracle_vcpu.h"
#include "tests/support/random_x86_tables.h"
#include "vmm/kvm_api.h"

namespace nestling::x86_64 {
namespace {

using std::chrono::microseconds;

// Guest-physical memory. `alias` shows the frames of the upper area's start once more, and tables
// there are as good as any; behind it there is nothing.
//
//     0x0          0x40000         0x60000    0x80000            0x100000       0x140000
//      | fixed, code | the guest's tables       | random entries  | alias         | nothing
//      |----------- lower ----------|------------- upper ---------|
constexpr std::uint64_t kFixedTables = 0x1000;
constexpr std::uint64_t kCode = 0x8000;
constexpr std::uint64_t kGuestTables = 0x4'0000;
constexpr std::uint64_t kUpper = 0x6'0000;
constexpr std::uint64_t kRandomEntries = 0x8'0000;
constexpr std::uint64_t kRamSize = 0x10'0000;
constexpr std::uint64_t kAliasSize = 0x4'0000;
constexpr std::uint64_t kAddressLimit = 0x18'0000;
/// For an 8-byte entry: present, writable, and used before.
constexpr std::uint64_t kFixedTable = 0x23;
constexpr std::uint64_t kFixedPage = 0x63;

/// Copies one of the random entries to one of the guest's tables, for ever. The same bytes mean the
/// same in 32-bit and in 64-bit mode. eax: random numbers; ebx: entries; edi: tables.
constexpr auto kChangeTables = std::to_array<std::uint8_t>({
    0x89, 0xc1,                          // mov ecx, eax      xorshift32
    0xc1, 0xe1, 0x0d,                    // shl ecx, 13
    0x31, 0xc8,                          // xor eax, ecx
    0x89, 0xc1,                          // mov ecx, eax
    0xc1, 0xe9, 0x11,                    // shr ecx, 17
    0x31, 0xc8,                          // xor eax, ecx
    0x89, 0xc1,                          // mov ecx, eax
    0xc1, 0xe1, 0x05,                    // shl ecx, 5
    0x31, 0xc8,                          // xor eax, ecx
    0x89, 0xc1,                          // mov ecx, eax
    0x81, 0xe1, 0xff, 0xff, 0x00, 0x00,  // and ecx, 0xffff   of 0x10000 entries
    0x89, 0xc2,                          // mov edx, eax
    0xc1, 0xea, 0x10,                    // shr edx, 16
    0x81, 0xe2, 0xff, 0x7f, 0x00, 0x00,  // and edx, 0x7fff   of 0x8000 in the tables
    0x8b, 0x34, 0xcb,                    // mov esi, [ebx + ecx * 8]
    0x89, 0x34, 0xd7,                    // mov [edi + edx * 8], esi
    0x8b, 0x74, 0xcb, 0x04,              // mov esi, [ebx + ecx * 8 + 4]
    0x89, 0x74, 0xd7, 0x04,              // mov [edi + edx * 8 + 4], esi
    0xeb, 0xc8,                          // jmp to the start
});
static_assert(kChangeTables.back() == 256 - kChangeTables.size(), "the jump leads to the start");

std::uint64_t seed() {
  const char* given = std::getenv("NESTLING_SEED");
  return given != nullptr ? std::strtoull(given, nullptr, 0) : 20'261'125;
}
bool is_nightly() { return std::getenv("NESTLING_NIGHTLY") != nullptr; }
int image_count() { return is_nightly() ? 40 : 4; }
int stop_count() { return is_nightly() ? 100 : 15; }
constexpr int kAddresses = 80;

/// How often a translation came to what, to prove that all of it occurs.
struct Tally {
  int translated = 0;
  int no_page = 0;
  int no_table_memory = 0;  ///< a table where stage 2 has nothing
  int populated = 0;        ///< pages the view did not know before
  int changed_stops = 0;    ///< stops at which the tables differed from the stop before
};

kvm_segment flat_segment(std::uint8_t type, bool long_mode) {
  kvm_segment segment{};
  segment.limit = 0xffff'ffff;
  segment.selector = type == 0xb ? 0x08 : 0x10;
  segment.type = type;
  segment.present = 1;
  segment.s = 1;
  segment.g = 1;
  segment.l = long_mode && type == 0xb ? 1 : 0;
  segment.db = segment.l != 0 ? 0 : 1;
  return segment;
}

class KvmLiveTranslate : public testing::TestWithParam<PagingMode> {
 protected:
  void SetUp() override {
    auto pool = RamPool::create(
        {.capacity = 16 << 20, .backing = AnonymousBacking{AnonymousBacking::HugePages::kNever}});
    ASSERT_TRUE(pool);
    pool_ = *std::move(pool);
    auto space =
        AddressSpace::create(*pool_, {.range = range(0, 1ULL << 40), .fault_granule = kPageSize});
    ASSERT_TRUE(space);
    space_ = *std::move(space);
    ASSERT_TRUE(space_->map_alloc(range(0, kUpper), Populate::kOnTouch, {.name = "lower"}));
    ASSERT_TRUE(
        space_->map_alloc(range(kUpper, kRamSize - kUpper), Populate::kOnTouch, {.name = "upper"}));
    ASSERT_TRUE(space_->populate(range(kUpper, kAliasSize)));
    ASSERT_TRUE(space_->map_linear(range(kRamSize, kAliasSize),
                                   space_->translate(GuestPhysAddr(kUpper)).value(),
                                   {.name = "alias"}));
    std::vector<OracleVcpu::Slot> slots;
    space_->visit_areas(space_->range(), [&](const Area& area) {
      slots.push_back({area.range, pool_->bytes(area.host_range(area.range))});
    });
    auto created = OracleVcpu::create_over(slots);
    if (!created) {
      GTEST_SKIP() << created.error().message;
    }
    vcpu_ = std::make_unique<OracleVcpu>(*std::move(created));
    if (GetParam() == PagingMode::k5Level && (vcpu_->cr4_features() & kCr4FiveLevels) == 0) {
      GTEST_SKIP() << "this host's KVM has no LA57";
    }
    struct sigaction action {};
    action.sa_handler = [](int /*signal*/) {};
    ASSERT_EQ(sigaction(SIGUSR1, &action, nullptr), 0);
  }

  static GuestPhysRange range(std::uint64_t start, std::uint64_t size) {
    return GuestPhysRange::of(GuestPhysAddr(start), size);
  }

  /// Bytes that the guest finds at `gpa`, in one area.
  [[nodiscard]] std::span<std::byte> bytes(std::uint64_t gpa, std::uint64_t size) {
    std::span<std::byte> found;
    space_->visit_areas(range(gpa, size), [&](const Area& area) {
      found = pool_->bytes(area.host_range(range(gpa, size)));
    });
    return found;
  }
  void write(std::uint64_t gpa, std::span<const std::byte> data) {
    ASSERT_TRUE(SpaceMemory(*space_, {}).write(GuestPhysAddr(gpa), data));
  }
  void write_entry(std::uint64_t gpa, std::uint64_t entry) {
    write(gpa, std::as_bytes(std::span(&entry, 1)).first(stage1::entry_size(GetParam())));
  }

  /// Tables that map all of RAM one to one with small pages. Most other entries of theirs lead to
  /// the tables that the guest changes; PAE's top ones all do, for KVM loads no others.
  void make_fixed_tables() {
    const PagingMode mode = GetParam();
    const std::uint64_t entry_size = stage1::entry_size(mode);
    std::uint64_t table = kFixedTables;
    for (int level = stage1::top_level(mode); level >= 1; --level, table += kPageSize) {
      const bool is_pae_top = mode == PagingMode::kPae && level == 3;
      const std::uint64_t count = is_pae_top ? 4 : kPageSize / entry_size;
      for (std::uint64_t index = 0; index < count; ++index) {
        write_entry(table + index * entry_size, other_entry(is_pae_top));
      }
      if (level > 1) {
        write_entry(table, (table + kPageSize) | (is_pae_top ? 1 : kFixedTable));
        continue;
      }
      for (std::uint64_t page = 0; page < kRamSize; page += kPageSize) {
        write_entry(table + page / kPageSize * entry_size, page | kFixedPage);
      }
    }
  }
  std::uint64_t other_entry(bool is_pae_top) {
    if (!is_pae_top && one_in(random_, 4)) {
      return random_entry(random_, kAddressLimit);
    }
    const std::uint64_t table =
        (kGuestTables + random_() % (kRandomEntries - kGuestTables)) & ~0xfffULL;
    return table | (is_pae_top ? 1 : kFixedTable);
  }

  void make_random_entries() {
    std::vector<std::byte> entries(kRandomEntries - kGuestTables);
    fill_with_entries(random_, GetParam(), entries, kAddressLimit);
    write(kGuestTables, entries);
    entries.resize(kRamSize - kRandomEntries);
    fill_with_entries(random_, GetParam(), entries, kAddressLimit);
    write(kRandomEntries, entries);
  }

  /// Memory and registers of a guest that is about to start.
  [[nodiscard]] PagingState prepare() {
    make_random_entries();
    make_fixed_tables();
    write(kCode, std::as_bytes(std::span(kChangeTables)));
    PagingState state = random_state(random_, GetParam(), vcpu_->cr4_features(), vcpu_->features());
    if (!vcpu_->has_no_execute()) {
      state.efer &= ~kEferNoExecute;
    }
    state.cr3 = GetParam() == PagingMode::kOff ? 0 : kFixedTables;
    const auto loaded = vcpu_->load(state);
    EXPECT_TRUE(loaded) << loaded.error().message;

    kvm_sregs sregs{};
    const int fd = vcpu_->vcpu().fd();
    EXPECT_EQ(ioctl(fd, KVM_GET_SREGS, &sregs), 0);
    const bool long_mode = (state.efer & kEferLongMode) != 0;
    sregs.cs = flat_segment(0xb, long_mode);
    sregs.ds = sregs.es = sregs.fs = sregs.gs = sregs.ss = flat_segment(3, long_mode);
    EXPECT_EQ(ioctl(fd, KVM_SET_SREGS, &sregs), 0);
    kvm_regs regs{};
    regs.rax = (random_() & 0xffff'ffff) | 1;
    regs.rbx = kRandomEntries;
    regs.rdi = kGuestTables;
    regs.rip = kCode;
    regs.rflags = 2 | (state.alignment_check ? 1U << 18 : 0);
    EXPECT_EQ(ioctl(fd, KVM_SET_REGS, &regs), 0);
    return state;
  }

  /// Lets the guest run, and stops it after about `time`.
  [[nodiscard]] testing::AssertionResult run_for(microseconds time) {
    Vcpu& vcpu = vcpu_->vcpu();
    std::thread stopper([&vcpu, time, runner = pthread_self()] {
      std::this_thread::sleep_for(time);
      vcpu.set_immediate_exit(Vcpu::ImmediateExit::kOn);
      pthread_kill(runner, SIGUSR1);
    });
    const Result<Exit> exit = vcpu.run();
    stopper.join();
    vcpu.set_immediate_exit(Vcpu::ImmediateExit::kOff);
    if (!exit) {
      return testing::AssertionFailure() << exit.error().message;
    }
    if (!std::holds_alternative<InterruptedExit>(*exit)) {
      return testing::AssertionFailure() << "the guest ended: " << exit_kind_name(exit->index());
    }
    return testing::AssertionSuccess();
  }

  /// Both stages, with every page that the view lacks learnt on the way, as the host has it.
  [[nodiscard]] VirtTranslation<PagingFault> translate(const PagingState& state,
                                                       GuestVirtAddr gva) {
    constexpr GuestAccess kRead{AccessKind::kRead, Privilege::kSupervisor};
    while (true) {
      auto both = translate_virt(stage2(), state, gva, kRead, TableUpdate::kAccessedDirty);
      const Stage2Fault* const missing = stage2_fault(both);
      if (missing == nullptr || missing->reason != Stage2Fault::Reason::kNotPopulated) {
        return both;
      }
      ++tally_.populated;
      EXPECT_TRUE(space_->populate(range(missing->gpa.aligned_down(kPageSize).value(), kPageSize)));
    }
  }
  static const Stage2Fault* stage2_fault(const VirtTranslation<PagingFault>& both) {
    if (both.outcome) {
      return nullptr;
    }
    const auto* const stop = std::get_if<Stage2Stop>(&both.outcome.error());
    return stop == nullptr ? nullptr : &stop->fault;
  }

  /// The entries on the way, and the error code where there is a fault.
  static std::string words(const VirtTranslation<PagingFault>& both) {
    std::string text;
    for (const WalkStep& step : both.trace.steps()) {
      text += fmt::format(", level {} entry {:#x}", step.level, step.entry);
    }
    if (both.outcome) {
      return text + ", translated";
    }
    if (const auto* fault = std::get_if<PagingFault>(&both.outcome.error())) {
      return fmt::format("{}, error code {:#x}", text, fault->error_code);
    }
    const auto* const stop = std::get_if<Stage2Stop>(&both.outcome.error());
    return stop == nullptr
               ? text + ", tables changing"
               : fmt::format("{}, stage 2 stop for {} at {:#x}", text,
                             static_cast<int>(stop->fault.reason), stop->fault.gpa.value());
  }

  SpaceStage2& stage2() {
    if (!stage2_) {
      stage2_.emplace(*space_);
    }
    return *stage2_;
  }

  /// Where stage 1 leads, by either walk; nothing where it faults.
  using Found = std::optional<GuestPhysAddr>;

  [[nodiscard]] std::vector<Found> ask_kvm(std::span<const GuestVirtAddr> addresses) {
    std::vector<Found> found;
    for (const GuestVirtAddr gva : addresses) {
      const auto answer = vcpu_->translate(gva);
      EXPECT_TRUE(answer) << answer.error().message;
      found.push_back(answer ? *answer : std::nullopt);
    }
    return found;
  }
  [[nodiscard]] std::vector<Found> ask_us(const PagingState& state,
                                          std::span<const GuestVirtAddr> addresses) {
    std::vector<Found> found;
    for (const GuestVirtAddr gva : addresses) {
      const auto both = translate(state, gva);
      found.push_back(both.stage1 ? Found(both.stage1->gpa) : std::nullopt);
      count(both);
      if (both.outcome) {
        // The second stage: the same frame as the host shows the guest in its slot.
        const std::uint64_t gpa = both.outcome->gpa.value();
        EXPECT_EQ(pool_->pointer(both.outcome->hpa), bytes(gpa, 1).data()) << std::hex << gpa;
      }
    }
    return found;
  }
  void count(const VirtTranslation<PagingFault>& both) {
    if (both.outcome) {
      ++tally_.translated;
    } else if (std::holds_alternative<PagingFault>(both.outcome.error())) {
      ++tally_.no_page;
    } else if (const auto* stop = std::get_if<Stage2Stop>(&both.outcome.error());
               stop != nullptr && stop->table_level) {
      ++tally_.no_table_memory;
    }
  }

  /// PAE's top entries have no accessed flag, but QEMU's emulation of a processor, as in the test
  /// beds, sets it in memory. KVM, like a processor, goes on with what it loaded with CR3.
  void repair_top_entries() {
    if (GetParam() == PagingMode::kPae) {
      for (std::uint64_t index = 0; index < 4; ++index) {
        bytes(kFixedTables + index * 8, 1)[0] &= ~std::byte{stage1::kAccessed};
      }
    }
  }

  [[nodiscard]] std::vector<std::byte> copy_of_memory() {
    std::vector<std::byte> copy(bytes(0, kUpper).begin(), bytes(0, kUpper).end());
    const auto upper = bytes(kUpper, kRamSize - kUpper);
    copy.insert(copy.end(), upper.begin(), upper.end());
    return copy;
  }

  /// Asks both about the same addresses, in either order; whoever is second finds every accessed
  /// flag set already.
  void compare(const PagingState& state) {
    std::vector<GuestVirtAddr> addresses;
    addresses.reserve(kAddresses);
    for (int i = 0; i < kAddresses; ++i) {
      addresses.push_back(one_in(random_, 8) ? GuestVirtAddr(random_() % kRamSize)
                                             : random_address(random_, GetParam()));
    }
    const bool kvm_first = one_in(random_, 2);
    std::vector<Found> theirs;
    std::vector<Found> ours;
    if (kvm_first) {
      theirs = ask_kvm(addresses);
    } else {
      ours = ask_us(state, addresses);
    }
    const std::vector<std::byte> memory = copy_of_memory();
    if (kvm_first) {
      ours = ask_us(state, addresses);
    } else {
      theirs = ask_kvm(addresses);
    }
    for (int i = 0; i < kAddresses; ++i) {
      const auto at = static_cast<std::size_t>(i);
      ASSERT_EQ(ours.at(at), theirs.at(at))
          << std::hex << "address " << addresses.at(at).value() << ", cr0 " << state.cr0 << ", cr4 "
          << state.cr4 << ", efer " << state.efer << ", ac " << state.alignment_check
          << words(translate(state, addresses.at(at)));
    }
    ASSERT_EQ(memory, copy_of_memory())
        << "accessed flags that only " << (kvm_first ? "we" : "KVM") << " set";
  }

  std::unique_ptr<RamPool> pool_;
  std::unique_ptr<AddressSpace> space_;
  std::optional<SpaceStage2> stage2_;
  std::unique_ptr<OracleVcpu> vcpu_;
  Random random_{seed()};
  Tally tally_;
};

TEST_P(KvmLiveTranslate, AgreesAtEveryMomentOfAGuestThatChangesItsTables) {
  SCOPED_TRACE("NESTLING_SEED=" + std::to_string(seed()));
  for (int image = 0; image < image_count(); ++image) {
    const PagingState state = prepare();
    std::vector<std::byte> before = copy_of_memory();
    for (int stop = 0; stop < stop_count(); ++stop) {
      SCOPED_TRACE("image " + std::to_string(image) + ", stop " + std::to_string(stop));
      ASSERT_TRUE(run_for(microseconds(100 + random_() % 2000)));
      repair_top_entries();
      tally_.changed_stops += copy_of_memory() == before ? 0 : 1;
      ASSERT_NO_FATAL_FAILURE(compare(state));
      before = copy_of_memory();
    }
  }
  EXPECT_GT(tally_.changed_stops, image_count() * stop_count() / 2);
  EXPECT_GT(tally_.translated, 100);
  if (GetParam() != PagingMode::kOff) {
    EXPECT_GT(tally_.no_page, 100);
    EXPECT_GT(tally_.no_table_memory, 10);
  }
}

std::string mode_name(const testing::TestParamInfo<PagingMode>& info) {
  constexpr std::array kNames{"Off", "Legacy", "Pae", "FourLevels", "FiveLevels"};
  return kNames.at(static_cast<std::size_t>(info.param));
}

INSTANTIATE_TEST_SUITE_P(Modes, KvmLiveTranslate,
                         testing::Values(PagingMode::kOff, PagingMode::k32Bit, PagingMode::kPae,
                                         PagingMode::k4Level, PagingMode::k5Level),
                         mode_name);

}  // namespace
}  // namespace nestling::x86_64
