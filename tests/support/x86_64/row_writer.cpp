// The guest that writes rows, in x86_64 machine code.
#include "tests/support/row_writer.h"

#include <initializer_list>

namespace nestling::testing {

namespace {

class Code {
 public:
  void append(std::initializer_list<unsigned> bytes) {
    for (const unsigned byte : bytes) {
      bytes_.push_back(static_cast<std::byte>(byte));
    }
  }
  template <typename Number>
  void append_number(Number number) {
    const auto bytes = std::as_bytes(std::span(&number, 1));
    bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
  }
  void start_loop(const Row& row) {
    append({0x48, 0xbb});  // mov rbx, start
    append_number(row.start);
    append({0xb9});  // mov ecx, count
    append_number(row.count);
  }
  void end_loop(const Row& row, unsigned jump) {
    append({0x48, 0x81, 0xc3});  // add rbx, stride
    append_number(row.stride);
    append({0xff, 0xc9, 0x75, jump});  // dec ecx; jnz to the loop's start
  }
  void append_exit(unsigned status) {
    append({0xb0, status, 0xe6, 0xf4, 0xf4});  // mov al, status; out 0xf4, al; hlt
  }
  [[nodiscard]] std::vector<std::byte> take() { return std::move(bytes_); }

 private:
  std::vector<std::byte> bytes_;
};

}  // namespace

std::vector<std::byte> row_writer(std::span<const Row> rows) {
  Code code;
  for (const Row& row : rows) {
    code.start_loop(row);
    code.append({0x48, 0x89, 0x1b});  // mov [rbx], rbx
    code.end_loop(row, 0xf2);
  }
  for (const Row& row : rows) {
    code.start_loop(row);
    code.append({0x48, 0x39, 0x1b});  // cmp [rbx], rbx
    code.append({0x74, 0x05});        // je past the exit
    code.append_exit(1);
    code.end_loop(row, 0xeb);
  }
  code.append_exit(0);
  return code.take();
}

}  // namespace nestling::testing
