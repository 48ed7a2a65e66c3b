// madvise, over ranges of which the view knew a part.
#include "vmm/memory/host_paging.h"

#include <sys/mman.h>

#include <cstring>

namespace nestling {

void HostPaging::changed(const ViewChange& change) {
  const bool takes_away =
      change.kind == ViewChange::Kind::kUnmap || change.kind == ViewChange::Kind::kDiscard;
  if (!takes_away || change.backend != Backend::kAlloc) {
    return;
  }
  const auto bytes = pool_.bytes(HostPhysRange::of(change.host, change.range.size()));
  const int advice = pool_.fd() < 0 ? MADV_DONTNEED : MADV_REMOVE;
  if (madvise(bytes.data(), bytes.size(), advice) != 0) {
    // Pages of the host's that are larger than the range.
    std::memset(bytes.data(), 0, bytes.size());
  }
}

}  // namespace nestling
