// The calls of libfdt.
#include "boot/aarch64/device_tree_writer.h"

#include <libfdt.h>

#include "base/check.h"

namespace nestling::aarch64 {

DeviceTreeWriter::DeviceTreeWriter(std::size_t size) : buffer_(size) {
  note(fdt_create(buffer_.data(), static_cast<int>(buffer_.size())));
  note(fdt_finish_reservemap(buffer_.data()));
}

std::vector<std::byte> DeviceTreeWriter::build(
    const std::function<void(DeviceTreeWriter&)>& write) {
  constexpr std::size_t kFirstSize = 8192;
  constexpr std::size_t kLargestSize = std::size_t{1} << 26;
  for (std::size_t size = kFirstSize; size <= kLargestSize; size *= 2) {
    DeviceTreeWriter writer(size);
    writer.node("", [&] { write(writer); });
    writer.note(fdt_finish(writer.buffer_.data()));
    if (writer.error_ == 0) {
      writer.buffer_.resize(fdt_totalsize(writer.buffer_.data()));
      return std::move(writer.buffer_);
    }
    check(writer.error_ == -FDT_ERR_NOSPACE, fdt_strerror(writer.error_));
  }
  check(false, "a device tree beyond all bounds");
  return {};
}

void DeviceTreeWriter::node(const std::string& name, const std::function<void()>& write) {
  note(fdt_begin_node(buffer_.data(), name.c_str()));
  write();
  note(fdt_end_node(buffer_.data()));
}

void DeviceTreeWriter::flag(const char* name) { bytes(name, {}); }

void DeviceTreeWriter::cells(const char* name, std::span<const std::uint32_t> values) {
  std::vector<fdt32_t> big_endian;
  for (const std::uint32_t value : values) {
    big_endian.push_back(cpu_to_fdt32(value));
  }
  bytes(name, std::as_bytes(std::span(big_endian)));
}

void DeviceTreeWriter::cells(const char* name, std::initializer_list<std::uint32_t> values) {
  cells(name, std::span(values.begin(), values.size()));
}

void DeviceTreeWriter::wide_cells(const char* name, std::initializer_list<std::uint64_t> values) {
  std::vector<std::uint32_t> halves;
  for (const std::uint64_t value : values) {
    halves.push_back(static_cast<std::uint32_t>(value >> 32));
    halves.push_back(static_cast<std::uint32_t>(value));
  }
  cells(name, halves);
}

void DeviceTreeWriter::text(const char* name, std::string_view value) { texts(name, {value}); }

void DeviceTreeWriter::texts(const char* name, std::initializer_list<std::string_view> values) {
  std::string list;
  for (const std::string_view value : values) {
    list += value;
    list += '\0';
  }
  bytes(name, std::as_bytes(std::span(list)));
}

void DeviceTreeWriter::bytes(const char* name, std::span<const std::byte> value) {
  note(fdt_property(buffer_.data(), name, value.data(), static_cast<int>(value.size())));
}

void DeviceTreeWriter::note(int result) {
  if (error_ == 0) {
    error_ = result;
  }
}

}  // namespace nestling::aarch64
