// The test device: what a guest asks is asked, whatever it writes comes to a status, and banks keep
// CPUs apart.
#include "devices/test_device.h"

#include <array>
#include <utility>

#include <gtest/gtest.h>

#include "guest/abi.h"
#include "tests/support/fake_guest_memory.h"
#include "tests/support/fake_memory_inspector.h"

namespace nestling {
namespace {

using Command = TestDevice::Command;
using Register = TestDevice::Register;
using Status = TestDevice::Status;

constexpr auto kWhole = AccessWidth::of(8);
constexpr std::uint64_t kRam = 0x10'0000;

class TestDeviceTest : public ::testing::Test {
 protected:
  TestDeviceTest() {
    memory_.add(GuestPhysRange::of(GuestPhysAddr(kRam), 2 * kPageSize), Access::all());
    memory_.add(GuestPhysRange::of(GuestPhysAddr(kRam + 2 * kPageSize), kPageSize), Access::read());
  }

  void set(Register where, std::uint64_t value, std::uint64_t bank = 0) {
    device_.write(bank * TestDevice::kBankSize + static_cast<std::uint64_t>(where), kWhole, value);
  }
  std::uint64_t get(Register where, std::uint64_t bank = 0) {
    return device_.read(bank * TestDevice::kBankSize + static_cast<std::uint64_t>(where), kWhole);
  }
  std::uint64_t result(std::uint64_t index, std::uint64_t bank = 0) {
    return device_.read(bank * TestDevice::kBankSize +
                            static_cast<std::uint64_t>(Register::kFirstResult) + 8 * index,
                        kWhole);
  }
  Status run(Command command, std::uint64_t bank = 0) {
    set(Register::kCommand, static_cast<std::uint64_t>(command), bank);
    return static_cast<Status>(get(Register::kCommand, bank));
  }
  /// As run(), with the arguments first.
  Status run(Command command, std::array<std::uint64_t, 3> arguments) {
    set(Register::kAddress, arguments[0]);
    set(Register::kSize, arguments[1]);
    set(Register::kValue, arguments[2]);
    return run(command);
  }

  nestling::testing::FakeGuestMemory memory_;
  FakeMemoryInspector inspector_;
  TestDevice device_{memory_, inspector_};
};

TEST_F(TestDeviceTest, SaysWhatItIs) { EXPECT_EQ(get(Register::kIdentity), guest::kTestIdentity); }

TEST_F(TestDeviceTest, TranslatesForTheAccessAskedFor) {
  inspector_.translation = {.outcome = GuestTranslation::Outcome::kTranslated,
                            .gpa = GuestPhysAddr(0x20'0123),
                            .page_size = 0x20'0000,
                            .access = Access::read()};
  inspector_.pages[0x20'0123].access = Access::all();
  inspector_.pages[0x20'0123].page_size = PageSize::k2MiB;
  EXPECT_EQ(run(Command::kTranslate, {0x7000'0000'0123, 0, TestDevice::kWrite | TestDevice::kUser}),
            Status::kOk);
  ASSERT_EQ(inspector_.asked.size(), 1U);
  EXPECT_EQ(inspector_.asked[0].address, GuestVirtAddr(0x7000'0000'0123));
  EXPECT_EQ(inspector_.asked[0].access,
            (GuestAccess{.kind = AccessKind::kWrite, .privilege = Privilege::kUser}));
  EXPECT_EQ(result(0), 0x20'0123U);
  EXPECT_EQ(result(1), 0x20'0000U);
  EXPECT_EQ(result(2), TestDevice::kReadable);
  EXPECT_EQ(result(3), 0x20'0000U);
  EXPECT_EQ(result(4), 7U);
}

TEST_F(TestDeviceTest, SaysThatATranslatedPageHasNoFrameYet) {
  inspector_.translation = {.outcome = GuestTranslation::Outcome::kTranslated,
                            .gpa = GuestPhysAddr(0x3000),
                            .page_size = 0x1000,
                            .access = Access::all()};
  EXPECT_EQ(run(Command::kTranslate, {0x3000, 0, TestDevice::kFetch}), Status::kOk);
  EXPECT_EQ(inspector_.asked.back().access.kind, AccessKind::kExecute);
  EXPECT_EQ(result(3), 0U);
  EXPECT_EQ(result(4), 0U);
}

TEST_F(TestDeviceTest, TellsTheFaultOfTheGuestsOwnTables) {
  inspector_.translation = {.outcome = GuestTranslation::Outcome::kFault, .fault_code = 0x15};
  EXPECT_EQ(run(Command::kTranslate, {0x1000, 0, 0}), Status::kGuestFault);
  EXPECT_EQ(result(0), 0x15U);
  inspector_.translation = {.outcome = GuestTranslation::Outcome::kTableUnreachable,
                            .gpa = GuestPhysAddr(0x9000)};
  EXPECT_EQ(run(Command::kTranslate, {0x1000, 0, 0}), Status::kTableUnreachable);
  EXPECT_EQ(result(0), 0x9000U);
  inspector_.translation = {};
  EXPECT_EQ(run(Command::kTranslate, {0x1000, 0, 0}), Status::kUnknown);
}

TEST_F(TestDeviceTest, RefusesAccessesThatAreNone) {
  EXPECT_EQ(run(Command::kTranslate, {0, 0, TestDevice::kWrite | TestDevice::kFetch}),
            Status::kBadArgument);
  EXPECT_EQ(run(Command::kTranslate, {0, 0, 8}), Status::kBadArgument);
  EXPECT_TRUE(inspector_.asked.empty());
}

TEST_F(TestDeviceTest, ReadsAndWritesMemoryOfAnyAlignmentUpToAPagesEdgeAndAcross) {
  for (std::uint64_t size = 1; size <= 8; ++size) {
    const std::uint64_t at = kRam + kPageSize - size / 2 - 1;
    const std::uint64_t value = 0x8877'6655'4433'2211;
    EXPECT_EQ(run(Command::kWrite, {at, size, value}), Status::kOk);
    EXPECT_EQ(run(Command::kRead, {at, size, 0}), Status::kOk);
    EXPECT_EQ(result(0), value & (~0ULL >> (64 - 8 * size)));
  }
}

TEST_F(TestDeviceTest, SaysWhyMemoryCannotBeAccessed) {
  EXPECT_EQ(run(Command::kRead, {kRam - 1, 2, 0}), Status::kUnmapped);
  EXPECT_EQ(run(Command::kWrite, {kRam + 2 * kPageSize, 8, 1}), Status::kDenied);
  EXPECT_EQ(run(Command::kRead, {kRam + 2 * kPageSize, 8, 0}), Status::kOk);
  for (const std::uint64_t size : {0ULL, 9ULL, ~0ULL}) {
    EXPECT_EQ(run(Command::kRead, {kRam, size, 0}), Status::kBadArgument);
    EXPECT_EQ(run(Command::kWrite, {kRam, size, 0}), Status::kBadArgument);
  }
  EXPECT_EQ(run(Command::kRead, {~0ULL, 2, 0}), Status::kBadArgument);
  EXPECT_EQ(run(Command::kWrite, {~0ULL - 3, 8, 0}), Status::kBadArgument);
}

TEST_F(TestDeviceTest, PopulatesAndDiscardsRanges) {
  EXPECT_EQ(run(Command::kPopulate, {kRam, 0x2000, 0}), Status::kOk);
  EXPECT_EQ(run(Command::kDiscard, {kRam, 0x1000, 0}), Status::kOk);
  ASSERT_EQ(inspector_.populated.size(), 1U);
  EXPECT_EQ(inspector_.populated[0], GuestPhysRange::of(GuestPhysAddr(kRam), 0x2000));
  ASSERT_EQ(inspector_.discarded.size(), 1U);
  EXPECT_EQ(inspector_.discarded[0], GuestPhysRange::of(GuestPhysAddr(kRam), 0x1000));
  EXPECT_EQ(run(Command::kDiscard, {~0ULL - 0xfff, 0x2000, 0}), Status::kBadArgument);
}

TEST_F(TestDeviceTest, TurnsEveryRefusalIntoAStatus) {
  using Reason = SpaceError::Reason;
  for (const auto& [reason, status] : {std::pair(Reason::kNoArea, Status::kUnmapped),
                                       {Reason::kOutsideSpace, Status::kUnmapped},
                                       {Reason::kEmpty, Status::kBadArgument},
                                       {Reason::kMisaligned, Status::kBadArgument},
                                       {Reason::kOutOfMemory, Status::kOutOfMemory},
                                       {Reason::kOutOfTables, Status::kOutOfMemory},
                                       {Reason::kNotAllocating, Status::kRefused},
                                       {Reason::kRefused, Status::kRefused}}) {
    inspector_.refusal = reason;
    EXPECT_EQ(run(Command::kDiscard, {kRam, 0x1000, 0}), status);
    EXPECT_EQ(run(Command::kPopulate, {kRam, 0x1000, 0}), status);
  }
}

TEST_F(TestDeviceTest, CountsMemoryAndNamesAreas) {
  EXPECT_EQ(run(Command::kUsage), Status::kOk);
  EXPECT_EQ(result(0), 0x5000U);
  EXPECT_EQ(result(1), 0x10'0000U);
  inspector_.pages[kRam].access = Access::read_write();
  for (const auto& [name, kind] : {std::pair("ram", guest::TestAreaKind::kRam),
                                   {"rom", guest::TestAreaKind::kRom},
                                   {"alias", guest::TestAreaKind::kAlias},
                                   {"", guest::TestAreaKind::kNone},
                                   {"initrd", guest::TestAreaKind::kOther}}) {
    inspector_.area = name;
    EXPECT_EQ(run(Command::kQuery, {kRam, 0, 0}), Status::kOk);
    EXPECT_EQ(result(0), 0x1000U);
    EXPECT_EQ(result(1), 3U);
    EXPECT_EQ(result(2), static_cast<std::uint64_t>(kind));
  }
  EXPECT_EQ(run(Command::kQuery, {kRam + 1, 0, 0}), Status::kOk);
  EXPECT_EQ(result(0), 0U) << "not populated";
}

TEST_F(TestDeviceTest, TellsTheFaultPath) {
  EXPECT_EQ(run(Command::kFaultPath), Status::kOk);
  EXPECT_EQ(result(0), static_cast<std::uint64_t>(guest::TestFaultPath::kHost));
}

TEST_F(TestDeviceTest, RefusesCommandsThatAreNone) {
  for (const std::uint64_t command : {0ULL, 9ULL, ~0ULL}) {
    EXPECT_EQ(run(static_cast<Command>(command)), Status::kBadCommand);
  }
}

TEST_F(TestDeviceTest, KeepsTheBanksApart) {
  set(Register::kAddress, kRam, 0);
  set(Register::kAddress, 1, 15);
  set(Register::kSize, 8, 0);
  set(Register::kSize, 8, 15);
  EXPECT_EQ(run(Command::kRead, 15), Status::kUnmapped);
  EXPECT_EQ(run(Command::kRead, 0), Status::kOk);
  EXPECT_EQ(static_cast<Status>(get(Register::kCommand, 15)), Status::kUnmapped);
}

TEST_F(TestDeviceTest, ReadsAllOnesAndWritesNothingByOtherAccesses) {
  set(Register::kAddress, kRam);
  for (const std::uint64_t offset : {0x10U, 0x12U, 0x14U}) {
    device_.write(offset, AccessWidth::of(4), 0);
    EXPECT_EQ(device_.read(offset, AccessWidth::of(4)), 0xffff'ffffU);
  }
  device_.write(0x11, kWhole, 0);
  EXPECT_EQ(device_.read(0x11, kWhole), ~0ULL);
  EXPECT_EQ(get(Register::kAddress), kRam);
  for (const std::uint64_t offset : {0x28U, 0x38U, 0x68U, 0xf8U}) {
    device_.write(offset, kWhole, 0);
    EXPECT_EQ(device_.read(offset, kWhole), ~0ULL) << offset;
  }
}

template <typename Ours, typename Theirs>
constexpr bool is_same(Ours ours, Theirs theirs) {
  return static_cast<std::uint64_t>(ours) == static_cast<std::uint64_t>(theirs);
}

TEST(TestDeviceLayout, LooksToTheGuestAsItDoesToUs) {
  using guest::TestCommand;
  using guest::TestRegister;
  using guest::TestStatus;
  EXPECT_EQ(TestDevice::kIdentity, guest::kTestIdentity);
  EXPECT_EQ(TestDevice::kSize, guest::kTestSize);
  EXPECT_EQ(TestDevice::kBankSize, guest::kTestBankSize);
  EXPECT_EQ(TestDevice::kResults, guest::kTestResults);
  EXPECT_TRUE(is_same(Register::kCommand, TestRegister::kCommand));
  EXPECT_TRUE(is_same(Register::kAddress, TestRegister::kAddress));
  EXPECT_TRUE(is_same(Register::kSize, TestRegister::kSize));
  EXPECT_TRUE(is_same(Register::kValue, TestRegister::kValue));
  EXPECT_TRUE(is_same(Register::kFirstResult, TestRegister::kFirstResult));
  EXPECT_TRUE(is_same(Command::kTranslate, TestCommand::kTranslate));
  EXPECT_TRUE(is_same(Command::kRead, TestCommand::kRead));
  EXPECT_TRUE(is_same(Command::kWrite, TestCommand::kWrite));
  EXPECT_TRUE(is_same(Command::kPopulate, TestCommand::kPopulate));
  EXPECT_TRUE(is_same(Command::kDiscard, TestCommand::kDiscard));
  EXPECT_TRUE(is_same(Command::kUsage, TestCommand::kUsage));
  EXPECT_TRUE(is_same(Command::kQuery, TestCommand::kQuery));
  EXPECT_TRUE(is_same(Command::kFaultPath, TestCommand::kFaultPath));
  EXPECT_TRUE(is_same(Status::kUnmapped, TestStatus::kUnmapped));
  EXPECT_TRUE(is_same(Status::kGuestFault, TestStatus::kGuestFault));
  EXPECT_TRUE(is_same(Status::kUnknown, TestStatus::kUnknown));
  EXPECT_EQ(TestDevice::kWrite, guest::kTestWrite);
  EXPECT_EQ(TestDevice::kFetch, guest::kTestFetch);
  EXPECT_EQ(TestDevice::kUser, guest::kTestUser);
  EXPECT_EQ(TestDevice::kReadable, guest::kTestReadable);
  EXPECT_EQ(TestDevice::kWritable, guest::kTestWritable);
  EXPECT_EQ(TestDevice::kExecutable, guest::kTestExecutable);
}

}  // namespace
}  // namespace nestling
