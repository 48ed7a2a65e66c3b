// The words of a refusal.
#include "addrspace/space_error.h"

#include <string_view>

#include <fmt/core.h>

namespace nestling {

namespace {

std::string_view text_of(SpaceError::Reason reason) {
  switch (reason) {
    case SpaceError::Reason::kEmpty:
      return "the range is empty";
    case SpaceError::Reason::kMisaligned:
      return "starts and sizes must be multiples of 4 KiB, alignments powers of two";
    case SpaceError::Reason::kOutsideSpace:
      return "it is not all in the address space";
    case SpaceError::Reason::kOutsidePool:
      return "the frames are not all in the RAM pool";
    case SpaceError::Reason::kOverlap:
      return "an area is in the way";
    case SpaceError::Reason::kNoArea:
      return "no area";
    case SpaceError::Reason::kNotExpressible:
      return "the entry format cannot express this access or memory type";
    case SpaceError::Reason::kNotAllocating:
      return "the area is linear, so its frames cannot be given back";
    case SpaceError::Reason::kNoRoom:
      return "no hole is large enough";
    case SpaceError::Reason::kOutOfMemory:
      return "out of memory";
    case SpaceError::Reason::kOutOfAddresses:
      return "the RAM pool has no extent of this size";
    case SpaceError::Reason::kOutOfTables:
      return "no frame for another page table";
    case SpaceError::Reason::kOutOfNodes:
      return "no memory for the bookkeeping of areas";
    case SpaceError::Reason::kRefused:
      return "refused";
  }
  return "?";
}

}  // namespace

std::string describe(const SpaceError& error) {
  std::string text =
      fmt::format("guest memory at {:#x}, {:#x} bytes: {}", error.range.start().value(),
                  error.range.size(), text_of(error.reason));
  if (error.at) {
    text += fmt::format(" at {:#x}", error.at->value());
  }
  if (error.host) {
    text += fmt::format(", frames at {:#x}", error.host->value());
  }
  if (error.other) {
    text +=
        fmt::format(" at {:#x}, {:#x} bytes", error.other->start().value(), error.other->size());
  }
  if (!error.detail.empty()) {
    text += fmt::format(" ({})", error.detail);
  }
  return text;
}

}  // namespace nestling
