// Four lists behind a header.
#include "boot/information.h"

#include <algorithm>

namespace nestling {

namespace {

/// Offsets from the BootInfo to what follows it; multiples of 8 but for the last.
struct Layout {
  std::uint64_t memory_map = sizeof(BootInfo);
  std::uint64_t devices = 0;
  std::uint64_t cpu_ids = 0;
  std::uint64_t command_line = 0;
  std::uint64_t size = 0;
};

Layout lay_out(const BootRequest& request, std::size_t memory_map_count) {
  Layout layout;
  layout.devices = layout.memory_map + memory_map_count * sizeof(MemoryMapEntry);
  layout.cpu_ids = layout.devices + request.devices.size_bytes();
  layout.command_line = layout.cpu_ids + request.cpu_ids.size_bytes();
  layout.size = layout.command_line + request.command_line.size() + 1;
  return layout;
}

void put(std::vector<std::byte>& out, std::uint64_t offset, std::span<const std::byte> bytes) {
  std::copy(bytes.begin(), bytes.end(), out.begin() + static_cast<std::ptrdiff_t>(offset));
}

}  // namespace

Result<void> check_command_line(const BootRequest& request) {
  if (request.command_line.size() > kMaxCommandLineSize) {
    return failure(make_error(ErrorKind::kUsage, "the command line has {} bytes, more than {}",
                              request.command_line.size(), kMaxCommandLineSize));
  }
  if (request.command_line.find('\0') != std::string_view::npos) {
    return failure(make_error(ErrorKind::kUsage, "the command line holds a NUL at byte {}",
                              request.command_line.find('\0')));
  }
  return {};
}

std::uint64_t information_size(const BootRequest& request, std::size_t memory_map_count) {
  return lay_out(request, memory_map_count).size;
}

std::vector<std::byte> make_information(const BootRequest& request, GuestPhysAddr start,
                                        std::span<const MemoryMapEntry> memory_map) {
  const Layout layout = lay_out(request, memory_map.size());
  BootInfo info;
  info.size = sizeof info;
  info.memory_map = (start + layout.memory_map).value();
  info.memory_map_count = memory_map.size();
  info.command_line = (start + layout.command_line).value();
  info.command_line_size = request.command_line.size();
  info.devices = (start + layout.devices).value();
  info.device_count = request.devices.size();
  info.cpu_ids = (start + layout.cpu_ids).value();
  info.cpu_count = request.cpu_ids.size();

  std::vector<std::byte> out(layout.size);
  put(out, 0, std::as_bytes(std::span(&info, 1)));
  put(out, layout.memory_map, std::as_bytes(memory_map));
  put(out, layout.devices, std::as_bytes(request.devices));
  put(out, layout.cpu_ids, std::as_bytes(request.cpu_ids));
  put(out, layout.command_line, std::as_bytes(std::span(request.command_line)));
  return out;
}

}  // namespace nestling
