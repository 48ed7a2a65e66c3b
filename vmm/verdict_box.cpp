// First come, first served.
#include "vmm/verdict_box.h"

#include <string>
#include <utility>

#include "base/check.h"

namespace nestling {

void VerdictBox::propose(Verdict verdict) {
  const std::lock_guard lock(mutex_);
  if (!is_decided()) {
    verdict_ = std::move(verdict);
    decider_ = std::this_thread::get_id();
    decided_.store(true, std::memory_order_release);
  }
}

bool VerdictBox::was_decided_by_this_thread() const {
  const std::lock_guard lock(mutex_);
  return is_decided() && decider_ == std::this_thread::get_id();
}

Verdict VerdictBox::verdict() const {
  const std::lock_guard lock(mutex_);
  check(is_decided(), "the run is not decided");
  return verdict_;
}

void VerdictBox::guest_exit(std::uint64_t status) {
  const std::uint64_t shown = nestling::guest_status(status, style_);
  propose({.kind = VerdictKind::kGuestExit,
           .reason = fmt::format("exit status {}", shown),
           .guest_status = shown});
}

void VerdictBox::reset(std::string_view how) {
  propose({.kind = VerdictKind::kReset, .reason = fmt::format("reset by {}", how)});
}

void VerdictBox::panic(std::string_view what) {
  propose({.kind = VerdictKind::kGuestPanic, .reason = fmt::format("guest panic: {}", what)});
}

void VerdictBox::unhandled_exception(std::string_view what) {
  propose({.kind = VerdictKind::kTripleFault,
           .reason = fmt::format("exception without a handler: {}", what)});
}

}  // namespace nestling
