// Accesses that the processor does not describe: what instructions, as an assembler encodes them,
// move between which registers and which memory.
#include "vmm/aarch64/undecoded_access.h"

#include <algorithm>
#include <array>
#include <vector>

#include <gtest/gtest.h>

namespace nestling::aarch64 {
namespace {

using Extension = UndecodedAccess::Extension;
using NewBase = UndecodedAccess::NewBase;
using Registers = UndecodedAccess::Registers;

constexpr auto kRead = Direction::kRead;
constexpr auto kWrite = Direction::kWrite;
constexpr auto kGeneral = Registers::kGeneral;
constexpr auto kVector = Registers::kVector;
constexpr auto kZero = Extension::kZero;
constexpr std::uint64_t kPc = 0x10'0000;

CpuState registers() {
  CpuState cpu;
  cpu.pc = kPc;
  cpu.pstate = kPstateEl1OnSpEl1;
  cpu.x[1] = 0x2000;
  cpu.x[2] = 0x30;
  cpu.x[3] = 0xffff'ffff'ffff'fff0;
  cpu.sp_el1 = 0x4000;
  return cpu;
}

UndecodedAccess access(Direction direction, std::uint64_t address, std::uint8_t size,
                       std::vector<std::uint8_t> numbers, Registers file = kGeneral,
                       Extension extension = kZero, std::optional<NewBase> base = std::nullopt) {
  UndecodedAccess made{.direction = direction,
                       .address = GuestVirtAddr(address),
                       .element_size = size,
                       .element_count = static_cast<std::uint8_t>(numbers.size()),
                       .registers = file,
                       .extension = extension,
                       .new_base = base};
  std::copy(numbers.begin(), numbers.end(), made.numbers.begin());
  return made;
}

struct Example {
  const char* text = nullptr;
  std::uint32_t instruction = 0;
  UndecodedAccess expected;
};

TEST(UndecodedAccessOfArm64, IsWhatTheInstructionSays) {
  const auto moved = [](std::uint8_t number, std::uint64_t value) {
    return NewBase{.number = number, .value = value};
  };
  const Example examples[] = {
      {"ldp x0, x1, [x2]", 0xa940'0440, access(kRead, 0x30, 8, {0, 1})},
      {"stp x3, x4, [x1, #16]", 0xa901'1023, access(kWrite, 0x2010, 8, {3, 4})},
      {"ldp w0, w3, [x1, #-4]", 0x297f'8c20, access(kRead, 0x1ffc, 4, {0, 3})},
      {"stp x0, x2, [sp, #-16]!", 0xa9bf'0be0,
       access(kWrite, 0x3ff0, 8, {0, 2}, kGeneral, kZero, moved(31, 0x3ff0))},
      {"ldp x0, x2, [x1], #32", 0xa8c2'0820,
       access(kRead, 0x2000, 8, {0, 2}, kGeneral, kZero, moved(1, 0x2020))},
      {"ldpsw x0, x2, [x1, #8]", 0x6941'0820,
       access(kRead, 0x2008, 4, {0, 2}, kGeneral, Extension::kSignTo64)},
      {"ldnp x0, x2, [x1, #16]", 0xa841'0820, access(kRead, 0x2010, 8, {0, 2})},
      {"stp xzr, xzr, [x1]", 0xa900'7c3f, access(kWrite, 0x2000, 8, {31, 31})},
      {"stp q0, q1, [x1, #32]", 0xad01'0420, access(kWrite, 0x2020, 16, {0, 1}, kVector)},
      {"ldp d0, d1, [x1], #16", 0x6cc1'0420,
       access(kRead, 0x2000, 8, {0, 1}, kVector, kZero, moved(1, 0x2010))},
      {"ldp s2, s3, [x1, #4]", 0x2d40'8c22, access(kRead, 0x2004, 4, {2, 3}, kVector)},
      {"ldr x0, [x1], #8", 0xf840'8420,
       access(kRead, 0x2000, 8, {0}, kGeneral, kZero, moved(1, 0x2008))},
      {"str x0, [x1, #8]!", 0xf800'8c20,
       access(kWrite, 0x2008, 8, {0}, kGeneral, kZero, moved(1, 0x2008))},
      {"str xzr, [x1], #8", 0xf800'843f,
       access(kWrite, 0x2000, 8, {31}, kGeneral, kZero, moved(1, 0x2008))},
      {"ldrb w0, [x1], #1", 0x3840'1420,
       access(kRead, 0x2000, 1, {0}, kGeneral, kZero, moved(1, 0x2001))},
      {"ldrsb x0, [x1], #1", 0x3880'1420,
       access(kRead, 0x2000, 1, {0}, kGeneral, Extension::kSignTo64, moved(1, 0x2001))},
      {"ldrsh w0, [x1, #-2]!", 0x78df'ec20,
       access(kRead, 0x1ffe, 2, {0}, kGeneral, Extension::kSignTo32, moved(1, 0x1ffe))},
      {"ldrsw x0, [x1], #4", 0xb880'4420,
       access(kRead, 0x2000, 4, {0}, kGeneral, Extension::kSignTo64, moved(1, 0x2004))},
      {"ldr q0, [x1]", 0x3dc0'0020, access(kRead, 0x2000, 16, {0}, kVector)},
      {"ldr q5, [x1, #48]", 0x3dc0'0c25, access(kRead, 0x2030, 16, {5}, kVector)},
      {"str d0, [x1, #8]", 0xfd00'0420, access(kWrite, 0x2008, 8, {0}, kVector)},
      {"str q0, [x1], #16", 0x3c81'0420,
       access(kWrite, 0x2000, 16, {0}, kVector, kZero, moved(1, 0x2010))},
      {"ldr s0, [x1, #-4]!", 0xbc5f'cc20,
       access(kRead, 0x1ffc, 4, {0}, kVector, kZero, moved(1, 0x1ffc))},
      {"stur q0, [x1, #-16]", 0x3c9f'0020, access(kWrite, 0x1ff0, 16, {0}, kVector)},
      {"ldur b0, [x1, #1]", 0x3c40'1020, access(kRead, 0x2001, 1, {0}, kVector)},
      {"ldr q0, [x1, x2]", 0x3ce2'6820, access(kRead, 0x2030, 16, {0}, kVector)},
      {"ldr q0, [x1, x2, lsl #4]", 0x3ce2'7820, access(kRead, 0x2300, 16, {0}, kVector)},
      {"str h0, [x1, w3, sxtw #1]", 0x7c23'd820, access(kWrite, 0x1fe0, 2, {0}, kVector)},
      {"ldr q0, .+16", 0x9c00'0080, access(kRead, kPc + 16, 16, {0}, kVector)},
      {"ldr d0, .-8", 0x5cff'ffc0, access(kRead, kPc - 8, 8, {0}, kVector)},
  };
  for (const Example& each : examples) {
    const auto found = undecoded_access(each.instruction, registers());
    ASSERT_TRUE(found) << each.text;
    EXPECT_EQ(found->address, each.expected.address) << each.text;
    EXPECT_EQ(*found, each.expected) << each.text;
  }
}

TEST(UndecodedAccessOfArm64, IsNothingForOtherInstructions) {
  constexpr std::uint32_t kOthers[] = {
      0xf940'0020,  // ldr x0, [x1]: the processor describes it
      0xf85f'8020,  // ldur x0, [x1, #-8]
      0xf840'8820,  // ldtr x0, [x1, #8]
      0xf862'6820,  // ldr x0, [x1, x2]
      0x1800'0080,  // ldr w0, .+16
      0xc8df'fc20,  // ldar x0, [x1]
      0xc85f'7c20,  // ldxr x0, [x1]
      0xf820'0041,  // ldadd x0, x1, [x2]
      0xf980'0020,  // prfm pldl1keep, [x1]
      0x6900'0820,  // stgp x0, x2, [x1]
      0xa8c1'0021,  // ldp x1, x0, [x1], #16: unpredictable
      0xf840'8421,  // ldr x1, [x1], #8
      0xa940'0040,  // ldp x0, x0, [x2]
      0x8b02'0020,  // add x0, x1, x2
      0xd50b'7421,  // dc zva, x1
      0x0000'0000, 0xffff'ffff,
  };
  for (const std::uint32_t instruction : kOthers) {
    EXPECT_FALSE(undecoded_access(instruction, registers())) << std::hex << instruction;
  }
}

TEST(UndecodedAccessOfArm64, IsOfA64Only) {
  CpuState cpu = registers();
  cpu.pstate |= kPstateAarch32;
  EXPECT_FALSE(undecoded_access(0xa940'0440, cpu));
}

/// Whatever the guest's memory and registers hold.
TEST(UndecodedAccessOfArm64, IsCutIntoPiecesThatARegisterAccessMayHave) {
  std::uint32_t instruction = 1;
  for (int i = 0; i < 1'000'000; ++i) {
    instruction = instruction * 1664525U + 1013904223U;
    CpuState cpu = registers();
    cpu.x.fill(kPageSize - 1 - instruction % 40);
    const auto found = undecoded_access(instruction, cpu);
    if (!found) {
      continue;
    }
    ASSERT_GE(found->size(), 1U) << std::hex << instruction;
    ASSERT_LE(found->size(), kMostUndecodedBytes) << std::hex << instruction;
    std::size_t offset = 0;
    while (offset < found->size()) {
      const std::size_t size = piece_size(*found, offset);
      const std::uint64_t first = found->address.value() + offset;
      ASSERT_GE(size, 1U);
      ASSERT_LE(size, 8U);
      ASSERT_EQ(first / kPageSize, (first + size - 1) / kPageSize) << std::hex << instruction;
      ASSERT_EQ(offset / found->element_size, (offset + size - 1) / found->element_size);
      offset += size;
    }
    ASSERT_EQ(offset, found->size()) << std::hex << instruction;
  }
}

TEST(LoadedValue, IsExtendedAsTheInstructionSays) {
  const std::array bytes = {std::byte{0xfe}, std::byte{0xff}, std::byte{0xff}, std::byte{0x80}};
  const std::span<const std::byte> all(bytes);
  EXPECT_EQ(loaded_value(Extension::kZero, all), 0x80ff'fffeU);
  EXPECT_EQ(loaded_value(Extension::kSignTo64, all), 0xffff'ffff'80ff'fffeU);
  EXPECT_EQ(loaded_value(Extension::kSignTo32, all.first(1)), 0xffff'fffeU);
  EXPECT_EQ(loaded_value(Extension::kSignTo64, all.first(2)), 0xffff'ffff'ffff'fffeU);
}

}  // namespace
}  // namespace nestling::aarch64
