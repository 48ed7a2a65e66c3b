// Finding one number in the binary statistics of a vCPU (kernel documentation, "KVM API",
// KVM_GET_STATS_FD).
#include "vmm/halt_counter.h"

#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <iterator>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "vmm/kvm_api.h"
#include "vmm/kvm_system.h"

namespace nestling {

namespace {

/// x86 counts the one, arm64 the other; neither has both.
constexpr std::string_view kNames[] = {"halt_exits", "wfi_exit_stat"};

bool read_all_at(int fd, std::span<std::byte> out, std::uint64_t offset) {
  return pread(fd, out.data(), out.size(), static_cast<off_t>(offset)) ==
         static_cast<ssize_t>(out.size());
}

template <typename T>
std::optional<T> read_object_at(int fd, std::uint64_t offset) {
  T object{};
  return read_all_at(fd, std::as_writable_bytes(std::span(&object, 1)), offset)
             ? std::optional(object)
             : std::nullopt;
}

/// kvm_stats_desc without the name that follows it, so that it can be a value.
struct Description {
  std::uint32_t flags;
  std::int16_t exponent;
  std::uint16_t size;
  std::uint32_t offset;
  std::uint32_t bucket_size;
};
static_assert(sizeof(Description) == sizeof(kvm_stats_desc));
static_assert(offsetof(Description, offset) == offsetof(kvm_stats_desc, offset));

bool is_halt_count(std::string_view name) {
  return std::find(std::begin(kNames), std::end(kNames), name) != std::end(kNames);
}

/// Where in the file the count stands.
std::optional<std::uint64_t> halt_count_offset(int fd) {
  const auto header = read_object_at<kvm_stats_header>(fd, 0);
  if (!header) {
    return std::nullopt;
  }
  std::vector<char> name(header->name_size);
  for (std::uint32_t index = 0; index < header->num_desc; ++index) {
    const std::uint64_t at =
        header->desc_offset + std::uint64_t{index} * (sizeof(kvm_stats_desc) + header->name_size);
    const auto description = read_object_at<Description>(fd, at);
    if (!description ||
        !read_all_at(fd, std::as_writable_bytes(std::span(name)), at + sizeof(kvm_stats_desc))) {
      return std::nullopt;
    }
    if (is_halt_count({name.data(), strnlen(name.data(), name.size())})) {
      return std::uint64_t{header->data_offset} + description->offset;
    }
  }
  return std::nullopt;
}

}  // namespace

void HaltCounter::find(const Vcpu& vcpu) {
  is_looked_for_ = true;
  UniqueFd statistics(kvm_ioctl(vcpu.fd(), KVM_GET_STATS_FD));
  if (!statistics) {
    return;
  }
  if (const auto offset = halt_count_offset(statistics.get())) {
    offset_ = *offset;
    statistics_ = std::move(statistics);
  }
}

std::optional<std::uint64_t> HaltCounter::count(const Vcpu& vcpu) {
  if (!is_looked_for_) {
    find(vcpu);
  }
  return statistics_ ? read_object_at<std::uint64_t>(statistics_.get(), offset_) : std::nullopt;
}

}  // namespace nestling
