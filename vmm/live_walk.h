// walk_live(): translate_virt on tables that may still have to come into being.
#pragma once

#include <variant>

#include "addrspace/address_space.h"
#include "addrspace/guest_translation.h"
#include "addrspace/space_stage2.h"
#include "addrspace/translate_virt.h"

namespace nestling {

/// Walks as a CPU in `state`, on behalf of `actor`, populating the guest's tables where they are
/// not, as they would be for the CPU. `code_of(fault)` is the architecture's GuestTranslation code.
template <typename State, typename CodeOf>
[[nodiscard]] GuestTranslation walk_live(AddressSpace& space, const State& state, Actor actor,
                                         GuestVirtAddr address, GuestAccess access,
                                         CodeOf code_of) {
  using Outcome = GuestTranslation::Outcome;
  SpaceStage2 stage2(space, SpaceStage2::Cache::kOff);
  // Each attempt but the last populates one more table, unless somebody discards them again.
  constexpr std::size_t kAttempts = 2 * WalkTrace::kMaxSteps;
  GuestPhysAddr missing;
  for (std::size_t attempt = 0; attempt < kAttempts; ++attempt) {
    const auto walk = translate_virt(stage2, state, address, access);
    if (walk.stage1) {
      return {.outcome = Outcome::kTranslated,
              .gpa = walk.stage1->gpa,
              .page_size = walk.stage1->page_size,
              .access = walk.stage1->access};
    }
    const auto* const stop = std::get_if<Stage2Stop>(&walk.outcome.error());
    if (stop == nullptr) {
      if (std::holds_alternative<TablesChanging>(walk.outcome.error())) {
        return {};
      }
      return {.outcome = Outcome::kFault, .fault_code = code_of(std::get<0>(walk.outcome.error()))};
    }
    missing = stop->fault.gpa;
    if (!space.translated_byte_buffer(GuestPhysRange::of(missing, 1), Access::read(),
                                      Unpopulated::kIsPopulated, actor)) {
      break;
    }
  }
  return {.outcome = Outcome::kTableUnreachable, .gpa = missing};
}

}  // namespace nestling
