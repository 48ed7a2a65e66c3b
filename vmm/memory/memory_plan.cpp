// The choice, and the words for it.
#include "vmm/memory/memory_plan.h"

#include <algorithm>
#include <utility>

#include "addrspace/address.h"

namespace nestling {

namespace {

/// Bytes that a fault populates unless the user says otherwise, chosen by measurement (bench/lazy):
/// with `mmio` each first touch costs an exit, so few large ones are best for every guest; with
/// `uffd` the copy costs, so that a sparse guest pays for what it does not touch.
constexpr std::uint64_t kMmioGranule = 2ULL << 20;
constexpr std::uint64_t kUffdGranule = 64ULL << 10;

std::uint64_t granule_for(LazyPath path, const GuestMemoryConfig& config) {
  std::uint64_t granule = kPageSize;  // what the VMM itself touches
  if (path == LazyPath::kMmio || path == LazyPath::kFault) {
    granule = kMmioGranule;
  } else if (path == LazyPath::kUffd) {
    granule = kUffdGranule;
  }
  granule = config.granule.value_or(granule);
  return config.huge ? std::max(granule, bytes_of(*config.huge)) : granule;
}

MemoryPlan plan_of(LazyPath path, std::string reason, const GuestMemoryConfig& config) {
  return {.path = path,
          .reason = std::move(reason),
          .granule = granule_for(path, config),
          .page_faults = nullptr};
}

Error cannot(LazyPath path, std::string_view why, std::string_view remedy) {
  return make_error(ErrorKind::kUsage, "--lazy {} cannot be used: {}; {}", name_of(path), why,
                    remedy);
}

constexpr std::string_view kNoHugetlbFaults =
    "it does not see first touches of hugetlb pages, which the host hands out whole";

Result<MemoryPlan> plan_auto(const GuestMemoryConfig& config, MemoryProbes& probes) {
  if (!config.limit && !config.sees_faults) {
    return plan_of(LazyPath::kHost, "nothing needs to see faults", config);
  }
  const std::string_view need = config.limit ? "--memory-limit" : "--audit";
  if (config.huge) {
    return plan_of(
        LazyPath::kMmio,
        fmt::format("{} needs to see faults, and hugetlb pages are seen by exits only", need),
        config);
  }
  auto faults = probes.page_faults();
  if (!faults) {
    return plan_of(LazyPath::kMmio,
                   fmt::format("{} needs to see faults; {}", need, faults.error().message), config);
  }
  MemoryPlan plan = plan_of(
      LazyPath::kUffd, fmt::format("{} needs to see faults, and userfaultfd works", need), config);
  plan.page_faults = *std::move(faults);
  return plan;
}

Result<MemoryPlan> plan_uffd(const GuestMemoryConfig& config, MemoryProbes& probes) {
  if (config.huge) {
    return failure(cannot(LazyPath::kUffd, kNoHugetlbFaults, "use mmio, host or off with --huge"));
  }
  auto faults = probes.page_faults();
  if (!faults) {
    return failure(cannot(LazyPath::kUffd, faults.error().message, "or use --lazy mmio or host"));
  }
  MemoryPlan plan = plan_of(LazyPath::kUffd, "as asked", config);
  plan.page_faults = *std::move(faults);
  return plan;
}

Result<MemoryPlan> plan_fault(const GuestMemoryConfig& config, MemoryProbes& probes) {
  if (config.huge) {
    return failure(cannot(LazyPath::kFault, "hugetlb pages cannot be hidden one by one",
                          "use mmio, host or off with --huge"));
  }
  const auto gives = probes.gives_memory_faults();
  if (!gives) {
    return failure(
        cannot(LazyPath::kFault, gives.error().message, "use --lazy uffd, mmio or host"));
  }
  if (!*gives) {
    return failure(cannot(LazyPath::kFault,
                          "tried on a small guest, this host's KVM gives no memory-fault exit for "
                          "memory that is not there, but fails",
                          "use --lazy uffd, mmio or host"));
  }
  return plan_of(LazyPath::kFault, "as asked, and KVM gives the exit", config);
}

}  // namespace

Result<MemoryPlan> plan_memory(const GuestMemoryConfig& config, MemoryProbes& probes) {
  switch (config.path) {
    case LazyPath::kAuto:
      return plan_auto(config, probes);
    case LazyPath::kUffd:
      return plan_uffd(config, probes);
    case LazyPath::kFault:
      return plan_fault(config, probes);
    case LazyPath::kHost:
      if (config.limit) {
        return failure(cannot(LazyPath::kHost,
                              "the host pages RAM in by itself, so --memory-limit would not hold",
                              "use --lazy uffd or mmio with it"));
      }
      break;
    case LazyPath::kMmio:
    case LazyPath::kOff:
      break;
  }
  return plan_of(config.path, "as asked", config);
}

}  // namespace nestling
