// The writer's side of ReaderEpochs, and the search for a thread's slot.
#include "addrspace/reader_epochs.h"

#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <thread>

#include "base/check.h"

namespace nestling {

namespace {

bool run_membarrier(int command) { return syscall(SYS_membarrier, command, 0, 0) == 0; }

}  // namespace

ReaderEpochs::ReaderEpochs(Barrier barrier)
    : barrier_(barrier == Barrier::kByWriterIfAllowed &&
                       run_membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED)
                   ? Barrier::kByWriterIfAllowed
                   : Barrier::kByReaders) {}

ReaderEpochs::~ReaderEpochs() {
  Block* block = first_.next.load(std::memory_order_acquire);
  while (block != nullptr) {
    const std::unique_ptr<Block> owned(block);
    block = owned->next.load(std::memory_order_acquire);
  }
}

ReaderEpochs::Slot& ReaderEpochs::find_slot(const void* self) const {
  for (Block* block = &first_;;) {
    for (std::size_t i = 0; i < kSlots; ++i) {
      Slot& slot = block->slots[(first_probe(self) + i) % kSlots];
      const void* owner = slot.owner.load(std::memory_order_acquire);
      // Slots are claimed in probing order and never given up: an unclaimed one ends the search.
      if (owner == self || (owner == nullptr && slot.owner.compare_exchange_strong(
                                                    owner, self, std::memory_order_acq_rel))) {
        return slot;
      }
    }
    Block* next = block->next.load(std::memory_order_acquire);
    if (next == nullptr) {
      auto fresh = std::make_unique<Block>();
      if (block->next.compare_exchange_strong(next, fresh.get(), std::memory_order_acq_rel)) {
        next = fresh.release();
      }
    }
    block = next;
  }
}

bool ReaderEpochs::have_left(std::uint64_t epoch) {
  if (barrier_ == Barrier::kByWriterIfAllowed && fenced_.load(std::memory_order_acquire) < epoch) {
    const std::uint64_t ended = epoch_.load(std::memory_order_acquire) - 1;
    check(epoch <= ended, "have_left() of an epoch that has not ended");
    // A reader's store to its slot either is visible behind this, or the reader's loads come after
    // it and see what the writer unlinked.
    check(run_membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED), "membarrier, once registered, failed");
    std::uint64_t known = fenced_.load(std::memory_order_relaxed);
    while (known < ended &&
           !fenced_.compare_exchange_weak(known, ended, std::memory_order_acq_rel)) {
    }
  }
  for (Block* block = &first_; block != nullptr;
       block = block->next.load(std::memory_order_acquire)) {
    const bool all_left = std::all_of(block->slots.begin(), block->slots.end(), [&](Slot& slot) {
      // An exchange with a reader's exchange decides which of the two came first: without
      // membarrier a plain load would not.
      const std::uint64_t inside = barrier_ == Barrier::kByReaders
                                       ? slot.epoch.fetch_add(0, std::memory_order_acq_rel)
                                       : slot.epoch.load(std::memory_order_acquire);
      return inside == kOutside || inside > epoch;
    });
    if (!all_left) {
      return false;
    }
  }
  return true;
}

void ReaderEpochs::wait(std::uint64_t epoch) {
  while (!have_left(epoch)) {
    std::this_thread::yield();
  }
}

}  // namespace nestling
