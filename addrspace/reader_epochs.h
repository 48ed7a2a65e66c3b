// ReaderEpochs: tells a writer when every reader that might still hold something old has left.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

namespace nestling {

/// Readers enter and leave without locks and without waiting; a writer unlinks something, ends the
/// epoch, and may reuse what it unlinked once everybody who entered up to that epoch has left.
///
///     reader   |--- guard ---|      |- guard -|
///     writer        unlink, e = end_epoch()   have_left(e): false … true, now reuse
///
/// A guard costs two plain stores to a cache line of the thread's own. The barrier that this needs
/// is paid by the writer, who has the kernel run one on every thread of the process (membarrier(2),
/// "private expedited"); where that is refused, readers pay for an atomic exchange instead.
/// Threads need not register: a slot is found by the thread's identity, and a thread that has ended
/// leaves its slot to the next with the same identity. Must outlive its guards.
class ReaderEpochs {
  struct Slot;

 public:
  enum class Barrier : std::uint8_t {
    kByWriterIfAllowed,  ///< membarrier, or kByReaders where the kernel refuses it
    kByReaders,          ///< works everywhere; a guard costs some nanoseconds more
  };

  /// One thread is inside while this lives. What it read from the shared structure is not reused
  /// before. May be nested within one thread, in the order of scopes; must be destroyed by the
  /// thread that entered.
  class [[nodiscard]] Guard {
   public:
    Guard(const Guard&) = delete;
    Guard& operator=(const Guard&) = delete;
    ~Guard() {
      if (slot_ != nullptr) {
        slot_->epoch.store(kOutside, std::memory_order_release);
      }
    }

   private:
    friend class ReaderEpochs;
    explicit Guard(Slot* slot) : slot_(slot) {}

    Slot* slot_;  // null in a guard inside another guard of this thread
  };

  explicit ReaderEpochs(Barrier barrier = Barrier::kByWriterIfAllowed);
  ReaderEpochs(const ReaderEpochs&) = delete;
  ReaderEpochs& operator=(const ReaderEpochs&) = delete;
  ~ReaderEpochs();

  /// Enters. Lock-free; allocates only when more than 64 threads have ever read here.
  Guard enter() const {
    Slot& slot = own_slot();
    // Only this thread writes its slot: relaxed loads of it see the latest value.
    if (slot.epoch.load(std::memory_order_relaxed) != kOutside) {
      return Guard(nullptr);
    }
    const std::uint64_t now = epoch_.load(std::memory_order_acquire);
    if (barrier_ == Barrier::kByWriterIfAllowed) {
      slot.epoch.store(now, std::memory_order_release);
      std::atomic_signal_fence(std::memory_order_seq_cst);
    } else {
      slot.epoch.exchange(now, std::memory_order_acq_rel);
    }
    return Guard(&slot);
  }

  /// Ends the current epoch and returns it. What the caller unlinked before may be reused when
  /// have_left() of it is true. Any thread.
  [[nodiscard]] std::uint64_t end_epoch() { return epoch_.fetch_add(1, std::memory_order_acq_rel); }

  /// True when no thread is still inside that entered in `epoch` or before it. Never waits; costs
  /// a system call the first time it is asked for an epoch. Any thread.
  [[nodiscard]] bool have_left(std::uint64_t epoch);

  /// Waits until have_left(epoch). Not to be called by a thread that is inside.
  void wait(std::uint64_t epoch);

  /// Who pays here: kByReaders where membarrier was refused.
  [[nodiscard]] Barrier barrier() const { return barrier_; }

 private:
  static constexpr std::uint64_t kOutside = 0;
  static constexpr std::size_t kSlots = 64;
  static constexpr unsigned kSlotBits = 6;

  struct alignas(64) Slot {
    std::atomic<const void*> owner = nullptr;  // identity of the thread; never cleared
    std::atomic<std::uint64_t> epoch = kOutside;
  };
  struct Block {
    std::array<Slot, kSlots> slots;
    std::atomic<Block*> next = nullptr;
  };

  /// An address that no other living thread has. The byte behind it is never used: it is an
  /// identity, not state.
  [[nodiscard]] static const void* this_thread() {
    static thread_local constinit char identity = 0;
    return &identity;
  }

  [[nodiscard]] Slot& own_slot() const {
    const void* const self = this_thread();
    Slot& first = first_.slots[first_probe(self)];
    if (first.owner.load(std::memory_order_relaxed) == self) [[likely]] {
      return first;
    }
    return find_slot(self);
  }

  [[nodiscard]] static std::size_t first_probe(const void* thread) {
    // Fibonacci hashing: the identities of threads differ by multiples of their stacks' size.
    const auto number = reinterpret_cast<std::uintptr_t>(thread);
    return (std::uint64_t{number} * 0x9e37'79b9'7f4a'7c15ULL) >> (64 - kSlotBits);
  }

  /// The slot of the thread `self`, claimed if it has none yet.
  [[nodiscard]] Slot& find_slot(const void* self) const;

  Barrier barrier_;
  std::atomic<std::uint64_t> epoch_ = 1;
  std::atomic<std::uint64_t> fenced_ = 0;  // epochs up to this one have had their barrier
  mutable Block first_;
};

}  // namespace nestling
