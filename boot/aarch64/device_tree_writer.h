// DeviceTreeWriter: libfdt's sequential writer with types, in a buffer that is large enough.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace nestling::aarch64 {

/// Writes nodes depth first; libfdt keeps the errors until the end. Properties come before the
/// nodes below.
class DeviceTreeWriter {
 public:
  /// The blob that `write` makes of the root node's inside. Is called again, with a larger buffer,
  /// while the tree does not fit.
  [[nodiscard]] static std::vector<std::byte> build(
      const std::function<void(DeviceTreeWriter&)>& write);

  /// A node called `name`, whose inside `write` makes.
  void node(const std::string& name, const std::function<void()>& write);
  void flag(const char* name);
  void cells(const char* name, std::span<const std::uint32_t> values);
  void cells(const char* name, std::initializer_list<std::uint32_t> values);
  /// Each number as two cells, the higher one first.
  void wide_cells(const char* name, std::initializer_list<std::uint64_t> values);
  void text(const char* name, std::string_view value);
  /// A list of strings.
  void texts(const char* name, std::initializer_list<std::string_view> values);
  void bytes(const char* name, std::span<const std::byte> value);

 private:
  explicit DeviceTreeWriter(std::size_t size);

  /// Keeps the first error; "no room" is one that build() mends.
  void note(int result);

  std::vector<std::byte> buffer_;
  int error_ = 0;
};

}  // namespace nestling::aarch64
