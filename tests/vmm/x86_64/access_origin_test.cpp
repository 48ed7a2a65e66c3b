// Where an access came from, as far as the registers and the code of a stopped guest prove it.
#include "vmm/x86_64/access_origin.h"

#include <gtest/gtest.h>

#include "tests/support/tiny_guest.h"

namespace nestling::x86_64 {
namespace {

/// Two pages of the guest's address space show one page of memory.
constexpr std::uint64_t kMapped = TinyGuest::kSmallPages;
constexpr std::uint64_t kMappedAgain = kMapped + kPageSize;
constexpr std::uint64_t kMemory = 0x30'0000;

class AccessOriginTest : public ::testing::Test {
 protected:
  AccessOriginTest() {
    guest_.write64(TinyGuest::kPt, kMemory | 3);
    guest_.write64(TinyGuest::kPt + 8, kMemory | 3);
  }

  [[nodiscard]] AccessOrigin origin(Direction direction, std::uint64_t gpa,
                                    AccessSeen::Way way = AccessSeen::Way::kMemory) {
    GuestView view(guest_.cpu(), guest_.memory(), {});
    return origin_of_access(view, {.way = way, .direction = direction, .gpa = GuestPhysAddr(gpa)});
  }

  TinyGuest guest_;
};

TEST_F(AccessOriginTest, OfAReadIsTheInstructionAtRip) {
  guest_.write_code({0x48, 0x8b, 0x43, 0x08});  // mov rax, [rbx + 8]
  guest_.cpu().rbx = kMapped;
  const AccessOrigin found = origin(Direction::kRead, kMemory + 8);
  EXPECT_EQ(found.place,
            (GuestPlace{GuestVirtAddr(TinyGuest::kCode), ProgramCounterIs::kAtInstruction}));
  EXPECT_EQ(found.virtual_address, GuestVirtAddr(kMapped + 8));
}

TEST_F(AccessOriginTest, OfAWriteIsTheInstructionBeforeRip) {
  guest_.write_code({0x48, 0x89, 0x43, 0x08});  // mov [rbx + 8], rax
  guest_.cpu().rbx = kMapped;
  guest_.cpu().rip += 4;
  const AccessOrigin found = origin(Direction::kWrite, kMemory + 8);
  EXPECT_EQ(found.place, (GuestPlace{GuestVirtAddr(TinyGuest::kCode + 4),
                                     ProgramCounterIs::kBehindInstruction}));
  EXPECT_EQ(found.place->inside(), GuestVirtAddr(TinyGuest::kCode + 3));
  EXPECT_EQ(found.virtual_address, GuestVirtAddr(kMapped + 8));
}

TEST_F(AccessOriginTest, HasNoVirtualAddressThatLeadsElsewhere) {
  guest_.write_code({0x48, 0x8b, 0x43, 0x08});
  guest_.cpu().rbx = kMapped;
  EXPECT_EQ(origin(Direction::kRead, kMemory + 16).virtual_address, std::nullopt);
  guest_.cpu().rbx = kMapped + 5 * kPageSize;  // not mapped
  EXPECT_EQ(origin(Direction::kRead, kMemory + 8).virtual_address, std::nullopt);
}

TEST_F(AccessOriginTest, HasNoVirtualAddressWhenCodeCanBeReadInTwoWays) {
  guest_.write_code({0x49, 0x89, 0x03});  // mov [r11], rax; without its prefix mov [rbx], eax
  guest_.cpu().r11 = kMapped;
  guest_.cpu().rbx = kMappedAgain;
  guest_.cpu().rip += 3;
  EXPECT_EQ(origin(Direction::kWrite, kMemory).virtual_address, std::nullopt);
  guest_.cpu().rbx = kMapped;
  EXPECT_EQ(origin(Direction::kWrite, kMemory).virtual_address, GuestVirtAddr(kMapped));
}

TEST_F(AccessOriginTest, OfARepeatedWriteMayBeAtRipOrBehindIt) {
  guest_.write_code({0xf3, 0xaa});  // rep stosb
  guest_.cpu().rdi = kMapped + 1;
  const AccessOrigin found = origin(Direction::kWrite, kMemory);
  EXPECT_EQ(found.place->is, ProgramCounterIs::kEither);
  EXPECT_EQ(found.place->inside(), GuestVirtAddr(TinyGuest::kCode));
}

TEST_F(AccessOriginTest, OfAPortWriteMayBeAtRipOrBehindIt) {
  EXPECT_EQ(origin(Direction::kWrite, 0, AccessSeen::Way::kPort).place->is,
            ProgramCounterIs::kEither);
  EXPECT_EQ(origin(Direction::kRead, 0, AccessSeen::Way::kPort).place->is,
            ProgramCounterIs::kAtInstruction);
}

TEST_F(AccessOriginTest, IsOnlyAPlaceWhereCodeCannotBeRead) {
  guest_.cpu().rip = kMapped + 5 * kPageSize;
  const AccessOrigin found = origin(Direction::kRead, kMemory);
  EXPECT_EQ(found.place->program_counter, GuestVirtAddr(kMapped + 5 * kPageSize));
  EXPECT_EQ(found.virtual_address, std::nullopt);
}

TEST_F(AccessOriginTest, DecodesNothingOutsideOf64BitCode) {
  guest_.write_code({0x8b, 0x03});
  guest_.cpu().rbx = kMapped;
  guest_.cpu().cs.long_mode = false;
  guest_.cpu().cs.default_big = true;
  EXPECT_EQ(origin(Direction::kRead, kMemory).virtual_address, std::nullopt);
  EXPECT_EQ(origin(Direction::kWrite, kMemory).place->is, ProgramCounterIs::kEither);
}

}  // namespace
}  // namespace nestling::x86_64
