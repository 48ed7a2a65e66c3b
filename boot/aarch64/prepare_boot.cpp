// Checking, placing, and writing what an arm64 kernel finds at its entry point.
#include "boot/aarch64/prepare_boot.h"

#include "boot/aarch64/boot_vectors.h"
#include "boot/aarch64/device_tree.h"
#include "boot/aarch64/ram_layout.h"
#include "boot/image_error.h"
#include "boot/information.h"
#include "boot/memory_map.h"
#include "boot/placement.h"

namespace nestling::aarch64 {

namespace {

/// Enough for a kernel that never makes a stack of its own; untouched pages cost nothing.
constexpr std::uint64_t kStackSize = 4 * kPageSize;
constexpr std::uint64_t kVectorPages = kPageSize;
static_assert(kVectorsSize <= kVectorPages);

/// RAM that a kernel with 32-bit pointers reaches, too.
constexpr GuestPhysRange kStructureWindow = GuestPhysRange::of(
    kLowDeviceWindow.last() + 1, kHighDeviceWindow.start().value() - kLowDeviceWindow.size());

std::uint64_t pages_for(std::uint64_t size) {
  return (size + kPageSize - 1) / kPageSize * kPageSize;
}

Result<void> check_request(const BootRequest& request) {
  const Image& image = request.image;
  if (image.architecture != Architecture::kAarch64) {
    return bad_image("{}: e_machine: made for {}, and this is an aarch64 machine", image.name,
                     name_of(image.architecture));
  }
  if (auto checked = check_segments(image, request.ram); !checked) {
    return checked;
  }
  return check_command_line(request);
}

std::vector<MemoryClaim> image_claims(const BootRequest& request) {
  std::vector<MemoryClaim> claims(request.other_memory.begin(), request.other_memory.end());
  for (const ImageSegment& segment : request.image.segments) {
    claims.push_back({segment.memory, MemoryKind::kImage});
  }
  claims.push_back({kLowDeviceWindow, MemoryKind::kReserved});
  claims.push_back({kHighDeviceWindow, MemoryKind::kReserved});
  return claims;
}

Result<GuestPhysRange> place_structures(const BootRequest& request, std::uint64_t size) {
  std::vector<GuestPhysRange> taken;
  for (const ImageSegment& segment : request.image.segments) {
    taken.push_back(segment.memory);
  }
  const auto room = find_room(size, {kStructureWindow, request.ram, taken});
  if (!room) {
    return bad_image(
        "{}: no {:#x} bytes of RAM below 3 GiB are left beside the image for stack, device tree "
        "and boot information: give the guest more memory",
        request.image.name, size);
  }
  return *room;
}

void place_vectors(GuestPhysAddr base, BootPlan& plan) {
  if (const auto vectors = make_boot_vectors(base)) {
    const auto bytes = std::as_bytes(std::span(*vectors));
    plan.vectors.assign(bytes.begin(), bytes.end());
    plan.entry.vbar = GuestVirtAddr(base.value());
  }
}

}  // namespace

Result<BootPlan> plan_boot(const BootRequest& request) {
  if (const auto checked = check_request(request); !checked) {
    return failure(checked.error());
  }
  BootPlan plan;
  plan.device_tree =
      make_device_tree({.ram = request.ram,
                        .cpu_count = static_cast<std::uint32_t>(request.cpu_ids.size()),
                        .devices = request.devices,
                        .command_line = request.command_line,
                        .initrd = {},
                        .rng_seed = {}});
  std::vector<MemoryClaim> claims = image_claims(request);
  // The memory map, not known before the place is, at its longest.
  const std::size_t longest_map = 2 * (request.ram.size() + claims.size() + 1);
  const std::uint64_t tree_pages = pages_for(plan.device_tree.size());
  const auto structures =
      place_structures(request, kStackSize + kVectorPages + tree_pages +
                                    pages_for(information_size(request, longest_map)));
  if (!structures) {
    return failure(structures.error());
  }
  claims.insert(claims.begin(), {*structures, MemoryKind::kBoot});

  plan.structures = *structures;
  plan.memory_map = make_memory_map(request.ram, claims);
  const GuestPhysAddr stack_end = structures->start() + kStackSize;
  plan.entry.pc = GuestVirtAddr(request.image.entry.value());
  plan.entry.sp = GuestVirtAddr(stack_end.value());
  plan.entry.x0 = stack_end + kVectorPages;
  plan.entry.x1 = plan.entry.x0 + tree_pages;
  plan.information = make_information(request, plan.entry.x1, plan.memory_map);
  place_vectors(stack_end, plan);
  return plan;
}

Result<EntryState> prepare_boot(const BootRequest& request, GuestMemory& memory) {
  const auto plan = plan_boot(request);
  if (!plan) {
    return failure(plan.error());
  }
  if (auto loaded = load_segments(request.image, request.ram_contents, memory); !loaded) {
    return failure(std::move(loaded).error());
  }
  auto done = memory.write(GuestPhysAddr(plan->entry.sp.value()), plan->vectors);
  if (done) {
    done = memory.write(plan->entry.x0, plan->device_tree);
  }
  if (done) {
    done = memory.write(plan->entry.x1, plan->information);
  }
  if (!done) {
    return failure(load_error("the boot structures", done.error()));
  }
  return plan->entry;
}

}  // namespace nestling::aarch64
