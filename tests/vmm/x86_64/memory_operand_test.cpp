// Memory operands: where instructions, as assemblers encode them, touch memory, and how long they
// are.
#include "vmm/x86_64/memory_operand.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace nestling::x86_64 {
namespace {

constexpr std::uint64_t kStart = 0x10'0000;

CpuState registers() {
  CpuState cpu;
  cpu.rax = 0x1000;
  cpu.rbx = 0x2000;
  cpu.rcx = 0x3000;
  cpu.rsp = 0x4000;
  cpu.rsi = 0x5000;
  cpu.rdi = 0x6000;
  cpu.r13 = 0x7000;
  cpu.r15 = 0x8000;
  cpu.gs.base = 0xffff'8000'0000'0000;
  cpu.fs.base = 0x9'0000;
  return cpu;
}

using Bytes = std::vector<std::uint8_t>;

std::optional<MemoryOperand> decoded(const Bytes& bytes, Direction direction = Direction::kRead) {
  return memory_operand(std::as_bytes(std::span(bytes)), GuestVirtAddr(kStart), registers(),
                        direction);
}

struct Example {
  const char* text;
  Bytes bytes;
  std::uint64_t address;
};

const std::vector<Example>& examples() {
  static const std::vector<Example> kAll = {
      {"mov rax, [rbx]", {0x48, 0x8b, 0x03}, 0x2000},
      {"mov [rbx], eax", {0x89, 0x03}, 0x2000},
      {"mov [r15], eax", {0x41, 0x89, 0x07}, 0x8000},
      {"mov [rsp + 8], rcx", {0x48, 0x89, 0x4c, 0x24, 0x08}, 0x4008},
      {"mov al, [rbx - 16]", {0x8a, 0x43, 0xf0}, 0x1ff0},
      {"mov [rax + r13 * 4 - 4], al", {0x42, 0x88, 0x44, 0xa8, 0xfc}, 0x1000 + 4 * 0x7000 - 4},
      {"mov eax, [rcx + 0x12345678]", {0x8b, 0x81, 0x78, 0x56, 0x34, 0x12}, 0x1234'8678},
      {"mov eax, [rip + 16]", {0x8b, 0x05, 0x10, 0, 0, 0}, kStart + 6 + 16},
      {"mov dword [rip + 16], 1", {0xc7, 0x05, 0x10, 0, 0, 0, 1, 0, 0, 0}, kStart + 10 + 16},
      {"mov word [rcx + 2], 1", {0x66, 0xc7, 0x41, 0x02, 1, 0}, 0x3002},
      {"mov byte [rcx], 1", {0xc6, 0x01, 1}, 0x3000},
      {"mov rax, gs:[0x28]", {0x65, 0x48, 0x8b, 0x04, 0x25, 0x28, 0, 0, 0}, 0xffff'8000'0000'0028},
      {"mov eax, fs:[rbx]", {0x64, 0x8b, 0x03}, 0x9'2000},
      {"add [rbx], eax", {0x01, 0x03}, 0x2000},
      {"cmp dword [rbx], 1", {0x83, 0x3b, 0x01}, 0x2000},
      {"and dword [rbx], 0x1000", {0x81, 0x23, 0, 0x10, 0, 0}, 0x2000},
      {"test byte [rbx], 1", {0xf6, 0x03, 0x01}, 0x2000},
      {"neg dword [rbx]", {0xf7, 0x1b}, 0x2000},
      {"inc dword [rbx]", {0xff, 0x03}, 0x2000},
      {"xchg eax, [rbx]", {0x87, 0x03}, 0x2000},
      {"lock xadd [rcx], rdx", {0xf0, 0x48, 0x0f, 0xc1, 0x11}, 0x3000},
      {"movzx eax, byte [rbx]", {0x0f, 0xb6, 0x03}, 0x2000},
      {"bts dword [rbx], 3", {0x0f, 0xba, 0x2b, 0x03}, 0x2000},
      {"movups [rdi], xmm0", {0x0f, 0x11, 0x07}, 0x6000},
      {"lodsb", {0xac}, 0x5000},
      {"movsq", {0x48, 0xa5}, 0x5000},
  };
  return kAll;
}

TEST(MemoryOperand, IsWhereTheInstructionReads) {
  for (const Example& example : examples()) {
    const auto operand = decoded(example.bytes);
    ASSERT_TRUE(operand) << example.text;
    EXPECT_EQ(operand->address.value(), example.address) << example.text;
    EXPECT_EQ(operand->instruction_size, example.bytes.size()) << example.text;
    EXPECT_FALSE(operand->repeats) << example.text;
  }
}

TEST(MemoryOperand, IsTheSameWithOtherInstructionsBehindIt) {
  for (const Example& example : examples()) {
    Bytes bytes = example.bytes;
    bytes.resize(30, 0x90);
    const auto operand = decoded(bytes);
    ASSERT_TRUE(operand) << example.text;
    EXPECT_EQ(operand->address.value(), example.address) << example.text;
    EXPECT_EQ(operand->instruction_size, example.bytes.size()) << example.text;
  }
}

TEST(MemoryOperand, IsUnknownWhenTheInstructionIsCutShort) {
  for (const Example& example : examples()) {
    for (std::size_t size = 0; size < example.bytes.size(); ++size) {
      EXPECT_FALSE(decoded(
          {example.bytes.begin(), example.bytes.begin() + static_cast<std::ptrdiff_t>(size)}))
          << example.text << ", " << size << " bytes";
    }
  }
}

TEST(MemoryOperand, OfAStringInstructionDependsOnTheDirection) {
  EXPECT_EQ(decoded({0xa4}, Direction::kRead)->address.value(), 0x5000U);
  EXPECT_EQ(decoded({0xa4}, Direction::kWrite)->address.value(), 0x6000U);
  EXPECT_EQ(decoded({0xaa}, Direction::kWrite)->address.value(), 0x6000U);
  EXPECT_FALSE(decoded({0xaa}, Direction::kRead));
  EXPECT_FALSE(decoded({0xac}, Direction::kWrite));
  EXPECT_TRUE(decoded({0xf3, 0x48, 0xab}, Direction::kWrite)->repeats);
}

TEST(MemoryOperand, IsUnknownForWhatTouchesNoneOrIsNotDecoded) {
  const std::vector<Bytes> others = {
      {0x89, 0xd8},              // mov eax, ebx
      {0x90, 0x90, 0x90},        // nop
      {0x50, 0x03},              // push rax
      {0x67, 0x8b, 0x03},        // mov eax, [ebx]
      {0xc5, 0xf8, 0x11, 0x03},  // vmovups [rbx], xmm0
      {0x8d, 0x03, 0x90},        // lea eax, [rbx]
      {0xff, 0x23},              // jmp [rbx]
      {0x0f, 0x05, 0x03},        // syscall
      {0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x8b,
       0x03},  // longer than an instruction can be
  };
  for (const Bytes& bytes : others) {
    EXPECT_FALSE(decoded(bytes)) << "the one of " << bytes.size() << " bytes that starts with "
                                 << int{bytes.front()};
  }
}

TEST(MemoryOperand, NeverReadsBeyondTheBytesGiven) {
  // Every start of two bytes, with nothing and with zeros behind it.
  for (unsigned first = 0; first < 256; ++first) {
    for (unsigned second = 0; second < 256; ++second) {
      Bytes bytes = {static_cast<std::uint8_t>(first), static_cast<std::uint8_t>(second)};
      for (std::size_t size = 2; size <= 16; ++size) {
        bytes.resize(size);
        const auto operand = decoded(bytes);
        if (operand) {
          EXPECT_LE(operand->instruction_size, bytes.size());
        }
      }
    }
  }
}

}  // namespace
}  // namespace nestling::x86_64
