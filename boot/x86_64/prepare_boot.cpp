// Checking, placing, and writing what a kernel finds at its entry point.
#include "boot/x86_64/prepare_boot.h"

#include <algorithm>
#include <optional>

#include "boot/image_error.h"
#include "boot/memory_map.h"
#include "boot/placement.h"
#include "boot/x86_64/identity_map.h"
#include "boot/x86_64/ram_layout.h"

namespace nestling::x86_64 {

namespace {

/// Enough for a kernel that never makes a stack of its own; untouched pages cost nothing.
constexpr std::uint64_t kStackSize = 4 * kPageSize;

/// Page 0 is kept out of everything we place and hand out: a null pointer stays null.
constexpr GuestPhysRange kNullPage = GuestPhysRange::of(GuestPhysAddr(0), kPageSize);
constexpr GuestPhysRange kStructureWindow =
    GuestPhysRange::of(GuestPhysAddr(kPageSize), kIdentityMapped.size() - kPageSize);

/// Offsets from the BootInfo to what follows it; multiples of 8.
struct InformationLayout {
  std::uint64_t gdt = sizeof(BootInfo);
  std::uint64_t memory_map = gdt + sizeof kGdt;
  std::uint64_t devices = 0;
  std::uint64_t command_line = 0;
  std::uint64_t size = 0;
};

InformationLayout lay_out(std::size_t memory_map_count, const BootRequest& request) {
  InformationLayout layout;
  layout.devices = layout.memory_map + memory_map_count * sizeof(MemoryMapEntry);
  layout.command_line = layout.devices + request.devices.size_bytes();
  layout.size = layout.command_line + request.command_line.size() + 1;
  return layout;
}

Result<void> check_request(const BootRequest& request) {
  const Image& image = request.image;
  if (image.architecture != Architecture::kX86_64) {
    return bad_image("{}: e_machine: made for {}, and this is an x86_64 machine", image.name,
                     name_of(image.architecture));
  }
  if (auto checked = check_segments(image, request.ram); !checked) {
    return checked;
  }
  if (!kIdentityMapped.contains(image.entry)) {
    return bad_image("{}: entry {:#x}: above the first {:#x} bytes, which are mapped at entry",
                     image.name, image.entry.value(), kIdentityMapped.size());
  }
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

std::vector<MemoryClaim> image_claims(const BootRequest& request) {
  std::vector<MemoryClaim> claims;
  for (const ImageSegment& segment : request.image.segments) {
    claims.push_back({segment.memory, MemoryKind::kImage});
  }
  claims.push_back({kNullPage, MemoryKind::kReserved});
  claims.push_back({kDeviceWindow, MemoryKind::kReserved});
  return claims;
}

/// Room for the structures; the memory map, not known before the place is, at its longest.
Result<GuestPhysRange> place_structures(const BootRequest& request, std::size_t claim_count) {
  const std::size_t longest_map = 2 * (request.ram.size() + claim_count);
  const std::uint64_t information_size = lay_out(longest_map, request).size;
  const std::uint64_t size =
      kStackSize + kIdentityMapSize + (information_size + kPageSize - 1) / kPageSize * kPageSize;
  std::vector<GuestPhysRange> taken;
  for (const ImageSegment& segment : request.image.segments) {
    taken.push_back(segment.memory);
  }
  const auto room = find_room(size, {kStructureWindow, request.ram, taken});
  if (!room) {
    return bad_image(
        "{}: no {:#x} bytes of RAM below 4 GiB are left beside the image for stack, page tables "
        "and boot information: give the guest more memory",
        request.image.name, size);
  }
  return *room;
}

void put(std::vector<std::byte>& out, std::uint64_t offset, std::span<const std::byte> bytes) {
  std::copy(bytes.begin(), bytes.end(), out.begin() + static_cast<std::ptrdiff_t>(offset));
}

std::vector<std::byte> make_information(const BootRequest& request, GuestPhysAddr start,
                                        std::span<const MemoryMapEntry> memory_map) {
  const InformationLayout layout = lay_out(memory_map.size(), request);
  BootInfo info;
  info.size = sizeof info;
  info.memory_map = (start + layout.memory_map).value();
  info.memory_map_count = memory_map.size();
  info.command_line = (start + layout.command_line).value();
  info.command_line_size = request.command_line.size();
  info.devices = (start + layout.devices).value();
  info.device_count = request.devices.size();

  std::vector<std::byte> out(layout.size);
  put(out, 0, std::as_bytes(std::span(&info, 1)));
  put(out, layout.gdt, std::as_bytes(std::span(kGdt)));
  put(out, layout.memory_map, std::as_bytes(memory_map));
  put(out, layout.devices, std::as_bytes(request.devices));
  put(out, layout.command_line, std::as_bytes(std::span(request.command_line)));
  return out;
}

}  // namespace

Result<BootPlan> plan_boot(const BootRequest& request) {
  if (const auto checked = check_request(request); !checked) {
    return failure(checked.error());
  }
  std::vector<MemoryClaim> claims = image_claims(request);
  const auto structures = place_structures(request, claims.size() + 1);
  if (!structures) {
    return failure(structures.error());
  }
  claims.insert(claims.begin(), {*structures, MemoryKind::kBoot});

  BootPlan plan;
  plan.structures = *structures;
  plan.memory_map = make_memory_map(request.ram, claims);
  const GuestPhysAddr stack_end = structures->start() + kStackSize;
  const GuestPhysAddr information = stack_end + kIdentityMapSize;
  plan.information = make_information(request, information, plan.memory_map);
  plan.entry.rip = GuestVirtAddr(request.image.entry.value());
  plan.entry.rsp = GuestVirtAddr(stack_end.value() - sizeof(std::uint64_t));
  plan.entry.rdi = information;
  plan.entry.cr3 = stack_end;
  plan.entry.gdt = {(information + InformationLayout().gdt).value(), sizeof kGdt - 1};
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
  const std::vector<std::uint64_t> tables = make_identity_map(plan->entry.cr3);
  auto done = memory.write(plan->entry.cr3, std::as_bytes(std::span(tables)));
  if (done) {
    done = memory.write(plan->entry.rdi, plan->information);
  }
  // In fresh RAM the return address at RSP is zero already.
  if (done && request.ram_contents == RamContents::kAnything) {
    done = memory.write_object(GuestPhysAddr(plan->entry.rsp.value()), std::uint64_t{0});
  }
  if (!done) {
    return failure(load_error("the boot structures", done.error()));
  }
  return plan->entry;
}

}  // namespace nestling::x86_64
