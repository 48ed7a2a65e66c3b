// Each kind of access, made and asked about.
#include "guest/kit/translation_check.h"

#include <array>

#include "guest/kit/expect.h"
#include "guest/kit/physical.h"
#include "guest/kit/probe.h"
#include "guest/kit/test_device.h"

namespace nestling::guest {
namespace {

/// Where in a page of the case is looked, 8-byte aligned: first, last, and in between.
std::array<std::uint64_t, 3> offsets(const MappedPage& each) {
  return {0, each.size / 2 + 0x128, each.size - 8};
}

Probe probe(std::uint64_t virt, std::uint64_t access) {
  if (access == kTestWrite) {
    // What put_return() wrote stays, for the fetches.
    return probe_write(virt, *at_address<const volatile std::uint64_t>(virt));
  }
  return access == kTestFetch ? probe_fetch(virt) : probe_read(virt);
}

std::uint64_t needed_right(std::uint64_t access) {
  if (access == kTestWrite) {
    return kTestWritable;
  }
  return access == kTestFetch ? kTestExecutable : kTestReadable;
}

/// What an access from user mode would come to, which only the VMM is asked.
void check_user(const MappedPage& each, std::uint64_t virt) {
  const bool is_user = has(each.rights, PageRights::kUser);
  for (const std::uint64_t access : {std::uint64_t{0}, kTestWrite, kTestFetch}) {
    const bool is_allowed = is_user &&
                            (access != kTestWrite || has(each.rights, PageRights::kWrite)) &&
                            (access != kTestFetch || has(each.rights, PageRights::kExecute));
    const Translation told = vmm_translation(virt, access | kTestUser);
    expect((told.status == TestStatus::kOk) == is_allowed, "{}: user access {} at {} {}", each.name,
           access, hex(virt), is_allowed ? "allowed" : "refused");
  }
}

/// True once the VMM knows of the page at `virt`: it brings a large granule piece by piece, and the
/// processor runs on with the first.
bool vmm_has_page(std::uint64_t virt) {
  constexpr unsigned kAttempts = 100'000;
  for (unsigned attempt = 0; attempt < kAttempts; ++attempt) {
    if (vmm_translation(virt, 0).vmm_page_size != 0) {
      return true;
    }
  }
  return false;
}

}  // namespace

bool compare_translation(std::uint64_t virt, std::uint64_t access) {
  const Translation told = vmm_translation(virt, access);
  const Probe made = probe(virt, access);
  if (made.faulted) {
    expect(told.status == TestStatus::kGuestFault, "a fault of access {} at {}, not status {}",
           access, hex(virt), static_cast<std::uint64_t>(told.status));
    expect(told.fault_code == made.fault_code, "fault code {} of access {} at {}, not {}",
           hex(made.fault_code), access, hex(virt), hex(told.fault_code));
    expect(made.fault_address == virt, "a fault at {}, not {}", hex(virt), hex(made.fault_address));
    return false;
  }
  expect(told.status == TestStatus::kOk, "access {} at {} allowed, not status {}, code {}", access,
         hex(virt), static_cast<std::uint64_t>(told.status), hex(told.fault_code));
  expect((told.rights & needed_right(access)) != 0, "the right for access {} at {}", access,
         hex(virt));
  return true;
}

// NOLINTNEXTLINE(bugprone-easily-swappable-parameters): named at the call.
void check_translations(const MappedPage& each, std::uint64_t virt, std::uint64_t phys) {
  for (const std::uint64_t offset : offsets(each)) {
    const std::uint64_t at = virt + offset;
    const Translation before = vmm_translation(at, 0);
    expect(before.status == TestStatus::kOk && before.phys == phys + offset &&
               before.page_size == each.size,
           "{}: {} in a page of {} at {}, not {} in {}", each.name, hex(phys + offset),
           hex(each.size), hex(at), hex(before.phys), hex(before.page_size));
    expect(compare_translation(at, 0), "{}: a readable page", each.name);
    expect(vmm_has_page(at), "{}: a page of the VMM's once it was read", each.name);
    put_return(phys + offset);
    expect(compare_translation(at, kTestWrite) == has(each.rights, PageRights::kWrite),
           "{}: writes as mapped", each.name);
    // On some processors the kernel may not execute what user mode may write.
    const bool is_fetched = compare_translation(at, kTestFetch);
    expect(!is_fetched || has(each.rights, PageRights::kExecute), "{}: fetches as mapped",
           each.name);
    check_user(each, at);
  }
}

}  // namespace nestling::guest
