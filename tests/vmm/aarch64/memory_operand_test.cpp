// Memory operands: where instructions, as an assembler encodes them, touch memory.
#include "vmm/aarch64/memory_operand.h"

#include <gtest/gtest.h>

namespace nestling::aarch64 {
namespace {

constexpr std::uint64_t kPc = 0x10'0000;

CpuState registers() {
  CpuState cpu;
  cpu.pc = kPc;
  cpu.pstate = kPstateEl1OnSpEl1;
  cpu.x[0] = 0x1000;
  cpu.x[1] = 0x2000;
  cpu.x[2] = 0x30;
  cpu.x[3] = 0xffff'ffff'ffff'fff0;
  cpu.sp_el1 = 0x4000;
  cpu.sp_el0 = 0x5000;
  return cpu;
}

struct Example {
  const char* text;
  std::uint32_t instruction;
  std::uint64_t address;
  std::uint8_t size;
};

constexpr Example kExamples[] = {
    {"ldr x0, [x1]", 0xf940'0020, 0x2000, 8},
    {"str w0, [x1, #4]", 0xb900'0420, 0x2004, 4},
    {"ldrb w0, [x1, #0xfff]", 0x397f'fc20, 0x2fff, 1},
    {"strh w0, [sp, #2]", 0x7900'07e0, 0x4002, 2},
    {"ldrsw x0, [x1, #8]", 0xb980'0820, 0x2008, 4},
    {"ldur x0, [x1, #-8]", 0xf85f'8020, 0x1ff8, 8},
    {"stur w0, [x1, #3]", 0xb800'3020, 0x2003, 4},
    {"ldtr x0, [x1, #8]", 0xf840'8820, 0x2008, 8},
    {"sttrb w0, [x1, #-1]", 0x381f'f820, 0x1fff, 1},
    {"ldr x0, [x1, x2]", 0xf862'6820, 0x2000 + 0x30, 8},
    {"ldr x0, [x1, x2, lsl #3]", 0xf862'7820, 0x2000 + 8 * 0x30, 8},
    {"str w0, [x1, w3, uxtw]", 0xb823'4820, 0x1'0000'1ff0, 4},
    {"ldrh w0, [x1, w3, sxtw #1]", 0x7863'd820, 0x2000 - 0x20, 2},
    {"ldrb w0, [x1, x3, sxtx]", 0x3863'e820, 0x2000 - 0x10, 1},
    {"ldr x0, [x1, xzr]", 0xf87f'6820, 0x2000, 8},
    {"ldr w0, .+16", 0x1800'0080, kPc + 16, 4},
    {"ldr x0, .-8", 0x58ff'ffc0, kPc - 8, 8},
    {"ldrsw x0, .+4", 0x9800'0020, kPc + 4, 4},
    {"ldar x0, [x1]", 0xc8df'fc20, 0x2000, 8},
    {"stlrb w0, [x1]", 0x089f'fc20, 0x2000, 1},
    {"ldapr w0, [x1]", 0xb8bf'c020, 0x2000, 4},
    {"ldapur x0, [x1, #-16]", 0xd95f'0020, 0x1ff0, 8},
    {"stlurh w0, [x1, #5]", 0x5900'5020, 0x2005, 2},
};

TEST(MemoryOperandOfArm64, IsWhereTheInstructionSays) {
  for (const Example& each : kExamples) {
    const auto operand = memory_operand(each.instruction, registers());
    ASSERT_TRUE(operand) << each.text;
    EXPECT_EQ(operand->address, GuestVirtAddr(each.address)) << each.text;
    EXPECT_EQ(operand->size, each.size) << each.text;
  }
}

TEST(MemoryOperandOfArm64, IsNotSaidOfInstructionsThatTheProcessorDoesNotDescribe) {
  constexpr std::uint32_t kOthers[] = {
      0xa940'0440,  // ldp x0, x1, [x2]
      0xf840'8420,  // ldr x0, [x1], #8
      0xf800'8c20,  // str x0, [x1, #8]!
      0x3dc0'0020,  // ldr q0, [x1]
      0xfd00'0020,  // str d0, [x1]
      0xc85f'7c20,  // ldxr x0, [x1]
      0xc800'7c41,  // stxr w0, x1, [x2]
      0xf820'0041,  // ldadd x0, x1, [x2]
      0xc8a0'7c41,  // cas x0, x1, [x2]
      0xf980'0020,  // prfm pldl1keep, [x1]
      0xd800'0040,  // prfm pldl1keep, .+8
      0xf8a2'6820,  // prfm pldl1keep, [x1, x2]
      0x8b02'0020,  // add x0, x1, x2
      0xd50b'7420,  // dc zva, x0
      0xd61f'0000,  // br x0
      0xfc62'6820,  // ldr d0, [x1, x2]
      0x9c00'0080,  // ldr q0, .+16
  };
  for (const std::uint32_t instruction : kOthers) {
    EXPECT_FALSE(memory_operand(instruction, registers())) << std::hex << instruction;
  }
}

TEST(MemoryOperandOfArm64, IsNotSaidOf32BitCode) {
  CpuState cpu = registers();
  cpu.pstate = kPstateAarch32;
  EXPECT_FALSE(memory_operand(kExamples[0].instruction, cpu));
}

TEST(MemoryOperandOfArm64, UsesTheStackPointerThatIsInUse) {
  constexpr std::uint32_t kLoadOfStack = 0xf940'03e0;  // ldr x0, [sp]
  CpuState cpu = registers();
  EXPECT_EQ(memory_operand(kLoadOfStack, cpu)->address, GuestVirtAddr(0x4000));
  cpu.pstate = kPstateEl0;
  EXPECT_EQ(memory_operand(kLoadOfStack, cpu)->address, GuestVirtAddr(0x5000));
}

}  // namespace
}  // namespace nestling::aarch64
