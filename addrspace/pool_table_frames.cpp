// Table frames, one by one from the pool.
#include "addrspace/pool_table_frames.h"

#include "base/check.h"

namespace nestling {

PoolTableFrames::~PoolTableFrames() {
  release_set_aside();
  check(bytes_ == 0, "page tables outlive their frames");
}

std::optional<HostPhysRange> PoolTableFrames::allocate(std::uint64_t size) {
  if (size == kPageSize && !set_aside_.empty()) {
    const HostPhysAddr frame = set_aside_.back();
    set_aside_.pop_back();
    return HostPhysRange::of(frame, size);
  }
  return take_from_pool(size);
}

void PoolTableFrames::free(HostPhysRange frames) { return_to_pool(frames); }

bool PoolTableFrames::set_aside(std::size_t count) {
  check(set_aside_.empty(), "table frames are set aside already");
  set_aside_.reserve(count);
  while (set_aside_.size() < count) {
    const auto frame = take_from_pool(kPageSize);
    if (!frame) {
      release_set_aside();
      return false;
    }
    set_aside_.push_back(frame->start());
  }
  return true;
}

void PoolTableFrames::release_set_aside() {
  for (const HostPhysAddr frame : set_aside_) {
    return_to_pool(HostPhysRange::of(frame, kPageSize));
  }
  set_aside_.clear();
}

std::optional<HostPhysRange> PoolTableFrames::take_from_pool(std::uint64_t size) {
  if (size > limit_ || bytes_ > limit_ - size) {
    return std::nullopt;
  }
  const auto frames = pool_.reserve(size, size);
  if (!frames) {
    return std::nullopt;
  }
  if (!pool_.commit(*frames)) {
    pool_.release(*frames);
    return std::nullopt;
  }
  bytes_ += size;
  return *frames;
}

void PoolTableFrames::return_to_pool(HostPhysRange frames) {
  pool_.free(frames);
  bytes_ -= frames.size();
}

}  // namespace nestling
