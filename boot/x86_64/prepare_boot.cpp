// Checking, placing, and writing what a kernel finds at its entry point.
#include "boot/x86_64/prepare_boot.h"

#include <optional>

#include "boot/image_error.h"
#include "boot/information.h"
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

/// Where the GDT stands behind the BootInfo and its lists, which have `information_size` bytes.
constexpr std::uint64_t gdt_offset(std::uint64_t information_size) {
  return (information_size + alignof(std::uint64_t) - 1) / alignof(std::uint64_t) *
         alignof(std::uint64_t);
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
  return check_command_line(request);
}

std::vector<MemoryClaim> image_claims(const BootRequest& request) {
  std::vector<MemoryClaim> claims(request.other_memory.begin(), request.other_memory.end());
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
  const std::uint64_t last_part = gdt_offset(information_size(request, longest_map)) + sizeof kGdt;
  const std::uint64_t size =
      kStackSize + kIdentityMapSize + (last_part + kPageSize - 1) / kPageSize * kPageSize;
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

void append_gdt(std::vector<std::byte>& information) {
  const auto gdt = std::as_bytes(std::span(kGdt));
  information.resize(gdt_offset(information.size()));
  information.insert(information.end(), gdt.begin(), gdt.end());
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
  const GuestPhysAddr gdt = information + gdt_offset(plan.information.size());
  append_gdt(plan.information);
  plan.entry.rip = GuestVirtAddr(request.image.entry.value());
  plan.entry.rsp = GuestVirtAddr(stack_end.value() - sizeof(std::uint64_t));
  plan.entry.rdi = information;
  plan.entry.cr3 = stack_end;
  plan.entry.gdt = {gdt.value(), sizeof kGdt - 1};
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
