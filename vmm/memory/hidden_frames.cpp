// mprotect in step with the view.
#include "vmm/memory/hidden_frames.h"

#include <sys/mman.h>

#include <cerrno>

namespace nestling {

Result<void> HiddenFrames::set(const ViewChange& change, Sight sight) {
  const auto bytes = pool_.bytes(HostPhysRange::of(change.host, change.range.size()));
  const int rights = sight == Sight::kShown ? PROT_READ | PROT_WRITE : PROT_NONE;
  if (mprotect(bytes.data(), bytes.size(), rights) != 0) {
    return failure(
        host_error(fmt::format("mprotect of {:#x} bytes of guest RAM", bytes.size()), errno));
  }
  return {};
}

Result<void> HiddenFrames::prepare(std::span<const ViewChange> changes) {
  for (std::size_t i = 0; i < changes.size(); ++i) {
    const ViewChange& change = changes[i];
    const bool is_ours = change.backend == Backend::kAlloc;
    Result<void> done;
    if (is_ours &&
        (change.kind == ViewChange::Kind::kMap || change.kind == ViewChange::Kind::kDiscard)) {
      done = set(change, Sight::kHidden);
    } else if (is_ours && (change.kind == ViewChange::Kind::kPopulate ||
                           change.kind == ViewChange::Kind::kUnmap)) {
      done = set(change, Sight::kShown);  // what is unmapped is the pool's again
    }
    if (!done) {
      abandon(changes.first(i));
      return done;
    }
  }
  return {};
}

void HiddenFrames::abandon(std::span<const ViewChange> changes) {
  for (const ViewChange& change : changes) {
    if (change.backend == Backend::kAlloc && change.kind == ViewChange::Kind::kMap) {
      (void)set(change, Sight::kShown).has_value();
    } else if (change.backend == Backend::kAlloc && change.kind == ViewChange::Kind::kPopulate) {
      (void)set(change, Sight::kHidden).has_value();
    }
    // What was to be unmapped or discarded stays, or comes back, in sight: parts of it that are not
    // populated are then paged in by the host, unseen but not lost.
    if (change.backend == Backend::kAlloc && change.kind == ViewChange::Kind::kDiscard) {
      (void)set(change, Sight::kShown).has_value();
    }
  }
}

}  // namespace nestling
