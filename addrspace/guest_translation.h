// GuestTranslation: what a walk of a guest's own tables came to, in words every architecture has.
#pragma once

#include <cstdint>

#include "addrspace/access.h"
#include "addrspace/address.h"

namespace nestling {

/// The first stage of translate_virt, for who does not care which architecture's it was.
struct GuestTranslation {
  enum class Outcome : std::uint8_t {
    kTranslated,        ///< `page` fields are set
    kFault,             ///< the guest's tables refuse: `fault_code` is set
    kTableUnreachable,  ///< a table of the guest's is not in memory: `gpa` is where it should be
    kUnknown,           ///< the host does not tell the registers, or the tables keep changing
  };

  Outcome outcome = Outcome::kUnknown;
  GuestPhysAddr gpa = {};
  std::uint64_t page_size = 0;  ///< bytes that the guest's entry maps around it
  Access access = {};           ///< what accesses with the privilege asked about may do
  /// x86: the error code of the #PF, or kNotAPageFault. Arm: the fault status code of the abort.
  std::uint64_t fault_code = 0;

  /// An address that is none (#GP, #SS).
  static constexpr std::uint64_t kNotAPageFault = UINT64_MAX;

  friend bool operator==(const GuestTranslation&, const GuestTranslation&) = default;
};

}  // namespace nestling
