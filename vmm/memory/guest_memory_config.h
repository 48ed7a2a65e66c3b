// GuestMemoryConfig: what a machine's memory is to be like, as the command line says it.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "addrspace/page_size.h"
#include "vmm/memory/extra_areas.h"

namespace nestling {

/// How guest pages come into being.
enum class LazyPath : std::uint8_t {
  kAuto,   ///< whichever measures best of those that serve what the run needs
  kUffd,   ///< userfaultfd: a pager thread populates what is touched, by whomever
  kMmio,   ///< no memory slot until populated: the exit names the access
  kFault,  ///< KVM_EXIT_MEMORY_FAULT names the page
  kHost,   ///< the host pages it in; the view learns of it when asked
  kOff,    ///< everything is there before the first instruction
};

inline constexpr std::array kLazyPaths = {LazyPath::kAuto,  LazyPath::kUffd, LazyPath::kMmio,
                                          LazyPath::kFault, LazyPath::kHost, LazyPath::kOff};

/// The word for `path` on the command line and in reports.
[[nodiscard]] constexpr std::string_view name_of(LazyPath path) {
  switch (path) {
    case LazyPath::kAuto:
      return "auto";
    case LazyPath::kUffd:
      return "uffd";
    case LazyPath::kMmio:
      return "mmio";
    case LazyPath::kFault:
      return "fault";
    case LazyPath::kHost:
      return "host";
    case LazyPath::kOff:
      return "off";
  }
  return "?";
}

struct GuestMemoryConfig {
  std::uint64_t size = 128ULL << 20;  ///< bytes of RAM, whole pages
  LazyPath path = LazyPath::kAuto;
  /// Bytes that one fault populates: a power of two from 4 KiB to 2 MiB; nothing for the path's
  /// own.
  std::optional<std::uint64_t> granule = {};
  /// RAM from the host's hugetlb pages of this size, 2 MiB or 1 GiB; nothing for ordinary memory.
  std::optional<PageSize> huge = {};
  /// Bytes that may be resident at a time, tables included.
  std::optional<std::uint64_t> limit = {};
  /// True when somebody wants to be told of every fault.
  bool sees_faults = false;
  ExtraAreas extra = {};
};

}  // namespace nestling
