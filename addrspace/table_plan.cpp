// The frames behind a plan, and the words of a refusal.
#include "addrspace/table_plan.h"

#include <cstring>
#include <string_view>
#include <utility>

#include <fmt/core.h>

#include "base/check.h"

namespace nestling {

namespace {

std::string_view reason_text(TableError::Reason reason) {
  switch (reason) {
    case TableError::Reason::kMisaligned:
      return "start, size and frame must be multiples of 4 KiB";
    case TableError::Reason::kBeyondGuest:
      return "the range is beyond the guest-physical width of the entry format";
    case TableError::Reason::kBeyondHost:
      return "the frames are beyond the host-physical width of the entry format";
    case TableError::Reason::kNotExpressible:
      return "the entry format cannot express this access or memory type";
    case TableError::Reason::kOutOfTables:
      return "no room for another page table";
  }
  return "unknown reason";
}

}  // namespace

std::string describe(const TableError& error) {
  return fmt::format("cannot change the mapping of {:#x} bytes at {:#x}: {}", error.range.size(),
                     error.range.start().value(), reason_text(error.reason));
}

ReservedTables::ReservedTables(ReservedTables&& other) noexcept
    : frames_(other.frames_), first_(other.first_), count_(std::exchange(other.count_, 0)) {}

ReservedTables::~ReservedTables() {
  while (count_ != 0) {
    frames_->free(HostPhysRange::of(take(), kPageSize));
  }
}

bool ReservedTables::add() {
  const std::optional<HostPhysRange> frame = frames_->allocate(kPageSize);
  if (!frame) {
    return false;
  }
  // The first bytes of each frame hold the address of the next.
  std::memcpy(frames_->window() + frame->start().value(), &first_, sizeof first_);
  first_ = frame->start();
  ++count_;
  return true;
}

HostPhysAddr ReservedTables::take() {
  check(count_ != 0, "a page table was needed that no plan had counted");
  const HostPhysAddr frame = first_;
  std::memcpy(&first_, frames_->window() + frame.value(), sizeof first_);
  --count_;
  return frame;
}

}  // namespace nestling
