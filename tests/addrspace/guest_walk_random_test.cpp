// Every walk against a transcription of its manual, on random tables, registers and addresses.
#include <array>
#include <cstdlib>
#include <map>
#include <sstream>

#include <gtest/gtest.h>

#include "addrspace/aarch64/stage1_walk.h"
#include "addrspace/riscv64/stage1_walk.h"
#include "addrspace/x86_64/stage1_walk.h"
#include "tests/support/fake_table_memory.h"
#include "tests/support/guest_walk_oracle.h"
#include "tests/support/random_tables.h"
#include "tests/support/random_x86_tables.h"

namespace nestling {
namespace {

using oracle::Answer;

constexpr std::uint64_t kMemorySize = 1ULL << 20;

std::uint64_t seed() {
  const char* given = std::getenv("NESTLING_SEED");
  return given != nullptr ? std::strtoull(given, nullptr, 0) : 20'261'123;
}
int rounds(int usual) { return std::getenv("NESTLING_NIGHTLY") != nullptr ? usual * 100 : usual; }

std::uint64_t code_of(const x86_64::PagingFault& fault) {
  switch (fault.kind) {
    case x86_64::PagingFault::Kind::kNotAnAddress:
      return oracle::kNotCanonical;
    case x86_64::PagingFault::Kind::kInvalidTopEntry:
      return oracle::kBadTopEntry;
    case x86_64::PagingFault::Kind::kPageFault:
      break;
  }
  return fault.error_code;
}
std::uint64_t code_of(const aarch64::TranslationFault& fault) {
  return fault.kind == aarch64::TranslationFault::Kind::kUnsupportedState
             ? oracle::kUnsupported
             : aarch64::status_code(fault);
}
std::uint64_t code_of(const riscv64::TranslationFault& fault) { return fault.cause; }

/// A walk in the oracle's words.
template <typename Fault>
Answer answer(const Stage1Walk<Fault>& walk) {
  if (walk.outcome) {
    return {Answer::Kind::kTranslated, walk.outcome->gpa.value(), walk.outcome->page_size, 0};
  }
  if (const auto* fault = std::get_if<Fault>(&walk.outcome.error())) {
    return {Answer::Kind::kFault, 0, 0, code_of(*fault)};
  }
  const auto& table = std::get<TableFault>(walk.outcome.error());
  return {Answer::Kind::kNoMemory, table.cause.address.value(), 0, 0};
}

std::string text(const Answer& answer) {
  std::ostringstream out;
  out << std::hex << "kind " << static_cast<int>(answer.kind) << " address " << answer.address
      << " size " << answer.page_size << " code " << answer.code;
  return out.str();
}

/// Compares all six accesses at one address, and the rights a translation claims.
template <typename State>
void compare(FakeTableMemory& tables, const oracle::Memory& memory, const State& state,
             GuestVirtAddr gva, std::map<std::string, int>& tally) {
  constexpr std::array kKinds{AccessKind::kRead, AccessKind::kWrite, AccessKind::kExecute};
  for (const Privilege privilege : {Privilege::kUser, Privilege::kSupervisor}) {
    Access allowed;
    for (const AccessKind kind : kKinds) {
      const Answer expected = oracle::walk(memory, state, gva.value(), {kind, privilege});
      const auto ours = walk(tables, state, gva, {kind, privilege});
      ASSERT_EQ(answer(ours), expected)
          << "ours: " << text(answer(ours)) << ", oracle: " << text(expected) << ", at " << std::hex
          << gva.value() << ", access " << static_cast<int>(kind) << ", privilege "
          << static_cast<int>(privilege);
      const bool translated = expected.kind == Answer::Kind::kTranslated;
      allowed = translated ? allowed | needed_right(kind) : allowed;
      ++tally[translated ? "size " + std::to_string(expected.page_size)
                         : "code " + std::to_string(expected.code)];
    }
    for (const AccessKind kind : kKinds) {
      const auto ours = walk(tables, state, gva, {kind, privilege});
      if (ours.outcome) {
        // Fetches may see another address than data accesses do where a top byte is ignored.
        const Access same = kind == AccessKind::kExecute ? Access::execute() : Access::read_write();
        ASSERT_EQ(ours.outcome->access & same, allowed & same) << std::hex << gva.value();
      }
    }
  }
}

oracle::Memory reader(const FakeTableMemory& tables) {
  return [&tables](std::uint64_t address, unsigned size) -> std::optional<std::uint64_t> {
    if (address > kMemorySize - size) {
      return std::nullopt;
    }
    return tables.get({GuestPhysAddr(address), static_cast<std::uint8_t>(size)});
  };
}

class RandomX86 : public testing::TestWithParam<x86_64::PagingMode> {};

TEST_P(RandomX86, AgreesWithTheManual) {
  SCOPED_TRACE("NESTLING_SEED=" + std::to_string(seed()));
  Random random(seed());
  FakeTableMemory tables(kMemorySize);
  const oracle::Memory memory = reader(tables);
  std::map<std::string, int> tally;
  constexpr std::array<std::uint8_t, 4> kWidths{36, 40, 46, 52};
  constexpr std::array<std::uint8_t, 3> kLargePageWidths{32, 36, 40};
  for (int round = 0; round < rounds(4); ++round) {
    x86_64::fill_with_entries(random, GetParam(), tables.bytes(), kMemorySize);
    for (int i = 0; i < 1000 && !HasFatalFailure(); ++i) {
      x86_64::PagingState state = x86_64::random_state(random, GetParam(), ~0ULL, {});
      state.features = {pick(random, kWidths), !one_in(random, 4), pick(random, kLargePageWidths),
                        one_in(random, 2)};
      state.cr3 = random() % kMemorySize;
      state.cr4 |= random() & (x86_64::kCr4UserKeys | x86_64::kCr4SupervisorKeys);
      state.pkru = static_cast<std::uint32_t>(random());
      state.pkrs = static_cast<std::uint32_t>(random());
      GuestVirtAddr gva = x86_64::random_address(random, GetParam());
      if (one_in(random, 30)) {
        gva = GuestVirtAddr(gva.value() ^ 1ULL << (random() % 64));
      }
      compare(tables, memory, state, gva, tally);
    }
  }
  // Enough of everything: the ends of walks and the error codes are many.
  EXPECT_GE(tally.size(), GetParam() == x86_64::PagingMode::kOff ? 2U : 12U);
}

INSTANTIATE_TEST_SUITE_P(Modes, RandomX86,
                         testing::Values(x86_64::PagingMode::kOff, x86_64::PagingMode::k32Bit,
                                         x86_64::PagingMode::kPae, x86_64::PagingMode::k4Level,
                                         x86_64::PagingMode::k5Level));

/// The two architectures whose registers hold the mode.
template <typename State, typename MakeEntry, typename MakeState, typename MakeAddress>
std::map<std::string, int> compare_at_random(MakeEntry make_entry, MakeState make_state,
                                             MakeAddress make_address) {
  Random random(seed());
  FakeTableMemory tables(kMemorySize);
  const oracle::Memory memory = reader(tables);
  std::map<std::string, int> tally;
  for (int round = 0; round < rounds(10); ++round) {
    fill_with(tables.bytes(), [&] { return make_entry(random, kMemorySize); });
    for (int i = 0; i < 1000 && !testing::Test::HasFatalFailure(); ++i) {
      const State state = make_state(random, kMemorySize);
      compare(tables, memory, state, make_address(random, state), tally);
    }
  }
  return tally;
}

TEST(RandomAarch64, AgreesWithTheManual) {
  SCOPED_TRACE("NESTLING_SEED=" + std::to_string(seed()));
  const auto tally = compare_at_random<aarch64::TranslationState>(
      aarch64::random_descriptor, aarch64::random_state, aarch64::random_address);
  for (const char* status :
       {"code 0", "code 1", "code 2", "code 3", "code 4", "code 5", "code 6", "code 7", "code 9",
        "code 10", "code 11", "code 13", "code 14", "code 15", "code 41", "code 43", "code 1002"}) {
    EXPECT_TRUE(tally.contains(status)) << status;
  }
  for (const unsigned bits : {12U, 14U, 16U, 21U, 25U, 29U, 30U}) {
    EXPECT_TRUE(tally.contains("size " + std::to_string(1ULL << bits))) << bits;
  }
}

TEST(RandomRiscv64, AgreesWithTheManual) {
  SCOPED_TRACE("NESTLING_SEED=" + std::to_string(seed()));
  const auto tally = compare_at_random<riscv64::TranslationState>(
      riscv64::random_entry, riscv64::random_state, riscv64::random_address);
  for (const char* cause : {"code 12", "code 13", "code 15"}) {
    EXPECT_TRUE(tally.contains(cause)) << cause;
  }
  for (const unsigned bits : {12U, 16U, 21U, 30U}) {
    EXPECT_TRUE(tally.contains("size " + std::to_string(1ULL << bits))) << bits;
  }
}

}  // namespace
}  // namespace nestling
