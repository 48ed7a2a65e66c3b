// The address space's answers in the words of two-stage walks.
#include "addrspace/space_stage2.h"

namespace nestling {

namespace {

Stage2Fault::Reason reason_of(Missing missing) {
  switch (missing) {
    case Missing::kOutsideSpace:
      return Stage2Fault::Reason::kOutsideSpace;
    case Missing::kNotPopulated:
      return Stage2Fault::Reason::kNotPopulated;
    case Missing::kNoArea:
      break;
  }
  return Stage2Fault::Reason::kNoArea;
}

}  // namespace

Result<Stage2Page, Stage2Fault> SpaceStage2::look_up(GuestPhysAddr gpa) const {
  const auto page = space_.query(gpa);
  if (!page) {
    return failure(Stage2Fault{reason_of(page.error()), gpa, Access::none()});
  }
  return Stage2Page{page->host, bytes_of(page->page_size), page->access};
}

Result<Stage2Page, Stage2Fault> SpaceStage2::translate(GuestPhysAddr gpa) {
  if (cache_ == Cache::kOff) {
    return look_up(gpa);
  }
  // Read before the view: an answer may then be newer than its number, never older.
  const std::uint64_t generation = space_.generation();
  const std::uint64_t page = gpa.value() / kPageSize;
  Slot& slot = slots_.at(page % kSlots);
  if (slot.page != page || slot.generation != generation) {
    const auto found = look_up(gpa);
    if (!found) {
      return found;
    }
    slot = {page, generation, *found};
    slot.answer.hpa = found->hpa.aligned_down(kPageSize);
  }
  Stage2Page answer = slot.answer;
  answer.hpa = answer.hpa + gpa.value() % kPageSize;
  return answer;
}

std::span<std::byte> SpaceStage2::bytes(HostPhysRange range) { return space_.pool().bytes(range); }

}  // namespace nestling
