// The guest that writes rows, in arm64 machine code.
#include "tests/support/row_writer.h"

#include "guest/abi.h"

namespace nestling::testing {

namespace {

static_assert(guest::kMmioExit == 0xd000'0000);

class Code {
 public:
  void append(std::uint32_t word) { words_.push_back(word); }
  /// movz and movk of all 64 bits to register x`to`.
  void append_load(unsigned to, std::uint64_t value) {
    constexpr std::uint32_t kMovz = 0xd280'0000;
    constexpr std::uint32_t kMovk = 0xf280'0000;
    for (unsigned half = 0; half < 4; ++half) {
      const auto bits = static_cast<std::uint32_t>(value >> (16 * half) & 0xffff);
      append((half == 0 ? kMovz : kMovk) | half << 21 | bits << 5 | to);
    }
  }
  void start_loop(const Row& row) {
    append_load(1, row.start);
    append_load(2, row.count);
    append_load(3, row.stride);
  }
  /// Back by `length` instructions from the first of these, until all are done.
  void end_loop(std::uint32_t length) {
    append(0x8b03'0021);  // add x1, x1, x3
    append(0xf100'0442);  // subs x2, x2, #1
    constexpr std::uint32_t kOffsetBits = 0x7'ffff;
    const std::uint32_t back = 0U - (length + 2);
    append(0x5400'0001 | (back & kOffsetBits) << 5);  // b.ne
  }
  void append_exit(unsigned status) {
    append(0xd2ba'0000);                // mov x0, #0xd0000000
    append(0x5280'0004 | status << 5);  // mov w4, #status
    append(0xb900'0004);                // str w4, [x0]
    append(0x1400'0000);                // b .
  }
  [[nodiscard]] std::vector<std::byte> bytes() const {
    const auto bytes = std::as_bytes(std::span(words_));
    return {bytes.begin(), bytes.end()};
  }

 private:
  std::vector<std::uint32_t> words_;
};

}  // namespace

std::vector<std::byte> row_writer(std::span<const Row> rows) {
  Code code;
  for (const Row& row : rows) {
    code.start_loop(row);
    code.append(0xf900'0021);  // str x1, [x1]
    code.end_loop(1);
  }
  for (const Row& row : rows) {
    code.start_loop(row);
    code.append(0xf940'0025);  // ldr x5, [x1]
    code.append(0xeb01'00bf);  // cmp x5, x1
    code.append(0x5400'00a0);  // b.eq past the exit
    code.append_exit(1);
    code.end_loop(7);
  }
  code.append_exit(0);
  return code.bytes();
}

}  // namespace nestling::testing
