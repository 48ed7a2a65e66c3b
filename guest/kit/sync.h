// How CPUs wait for each other: a barrier and a lock, both by spinning.
#pragma once

#include <atomic>
#include <cstdint>

#include "guest/kit/smp.h"

namespace nestling::guest {

/// Holds each of `count` CPUs until all are there; then it can be used again at once.
class Barrier {
 public:
  constexpr explicit Barrier(std::uint32_t count) : count_(count) {}

  void wait() {
    const std::uint32_t round = round_.load(std::memory_order_relaxed);
    if (arrived_.fetch_add(1, std::memory_order_acq_rel) + 1 == count_) {
      arrived_.store(0, std::memory_order_relaxed);
      round_.store(round + 1, std::memory_order_release);
      return;
    }
    while (round_.load(std::memory_order_acquire) == round) {
      relax();
    }
  }

 private:
  const std::uint32_t count_;
  std::atomic<std::uint32_t> arrived_ = 0;
  std::atomic<std::uint32_t> round_ = 0;
};

/// For std::lock_guard's likes: `const SpinLock::Guard guard(lock);`.
class SpinLock {
 public:
  class [[nodiscard]] Guard {
   public:
    explicit Guard(SpinLock& lock) : lock_(lock) {
      while (lock_.is_taken_.exchange(true, std::memory_order_acquire)) {
        relax();
      }
    }
    Guard(const Guard&) = delete;
    Guard& operator=(const Guard&) = delete;
    ~Guard() { lock_.is_taken_.store(false, std::memory_order_release); }

   private:
    SpinLock& lock_;
  };

 private:
  std::atomic<bool> is_taken_ = false;
};

}  // namespace nestling::guest
