// /proc/meminfo, and memory.max of every control group from this process's up to the root.
#include "vmm/memory/host_memory.h"

#include <algorithm>
#include <charconv>
#include <fstream>
#include <sstream>
#include <utility>

#include <fmt/core.h>

namespace nestling {

namespace {

constexpr std::uint64_t kKiB = 1024;
constexpr std::uint64_t kMiB = 1024 * kKiB;

std::optional<std::string> content(const std::string& path) {
  std::ifstream file(path);
  if (!file) {
    return std::nullopt;
  }
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

std::optional<std::uint64_t> number(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() ? std::optional(value) : std::nullopt;
}

/// The number behind `key` at the start of a line, or nothing.
std::optional<std::uint64_t> field(std::string_view text, std::string_view key) {
  for (std::size_t line = 0; line < text.size();) {
    std::string_view rest = text.substr(line);
    if (rest.starts_with(key)) {
      rest.remove_prefix(key.size());
      rest.remove_prefix(std::min(rest.find_first_not_of(' '), rest.size()));
      return number(rest);
    }
    const std::size_t end = rest.find('\n');
    line = end == std::string_view::npos ? text.size() : line + end + 1;
  }
  return std::nullopt;
}

/// A sixteenth is kept free: enough that what happens between two looks does not use it up, and at
/// least what the host's own programs need to stay alive.
std::uint64_t reserve_of(std::uint64_t total) {
  return std::clamp(total / 16, 32 * kMiB, 512 * kMiB);
}

void keep_scarcer(std::optional<HostRoom>& scarcest, HostRoom room) {
  const auto spare = [](const HostRoom& each) {
    return each.bytes > each.reserve ? each.bytes - each.reserve : 0;
  };
  if (!scarcest || spare(room) < spare(*scarcest)) {
    scarcest = std::move(room);
  }
}

}  // namespace

std::optional<HostRoom> HostMemory::room() const {
  std::optional<HostRoom> scarcest;
  if (const auto memory = content(root_ + "/proc/meminfo")) {
    const auto available = field(*memory, "MemAvailable:");
    const auto total = field(*memory, "MemTotal:");
    if (available && total) {
      const std::uint64_t swap = field(*memory, "SwapFree:").value_or(0);
      scarcest = HostRoom{.bytes = (*available + swap) * kKiB,
                          .reserve = reserve_of(*total * kKiB),
                          .whose = "the host"};
    }
  }
  // Version 2 only: "0::/path".
  const auto groups = content(root_ + "/proc/self/cgroup");
  constexpr std::string_view kUnified = "0::/";
  const std::size_t at = groups ? groups->find(kUnified) : std::string::npos;
  if (at == std::string::npos) {
    return scarcest;
  }
  const std::size_t start = at + kUnified.size() - 1;
  std::string group = groups->substr(start, groups->find('\n', start) - start);
  while (!group.empty() && group != "/") {
    const std::string folder = root_ + "/sys/fs/cgroup" + group;
    const auto limit = content(folder + "/memory.max");
    const auto used = content(folder + "/memory.current");
    const auto limit_bytes = limit ? number(*limit) : std::nullopt;  // nothing for "max"
    const auto used_bytes = used ? number(*used) : std::nullopt;
    if (limit_bytes && used_bytes) {
      // The group's page cache goes before its processes do.
      const auto details = content(folder + "/memory.stat");
      const std::uint64_t cache = details ? field(*details, "inactive_file ").value_or(0) : 0;
      const std::uint64_t held = *used_bytes - std::min(*used_bytes, cache);
      keep_scarcer(scarcest, {.bytes = *limit_bytes - std::min(*limit_bytes, held),
                              .reserve = reserve_of(*limit_bytes),
                              .whose = "the control group " + group});
    }
    group.resize(group.rfind('/'));
  }
  return scarcest;
}

std::string shortage_words(const HostRoom& room, std::uint64_t resident) {
  return fmt::format(
      "{} runs out of memory: {} MiB are left, with {} MiB of the guest's resident; give the guest "
      "less to use, or cap it with --memory-limit",
      room.whose, room.bytes / kMiB, resident / kMiB);
}

}  // namespace nestling
