// FakePageFaults: page faults made by a test, and a record of what came of them.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <optional>
#include <vector>

#include "vmm/memory/page_fault_source.h"

namespace nestling::testing {

/// Keeps the rules of userfaultfd that matter: memory is watched before it is unwatched or
/// installed. Can be made to fail at any call.
class FakePageFaults final : public PageFaultSource {
 public:
  Result<void> watch(std::span<std::byte> memory) override {
    return act([&] { watched_bytes += memory.size(); });
  }
  Result<void> unwatch(std::span<std::byte> memory) override {
    return act([&] { watched_bytes -= memory.size(); });
  }
  Result<void> install_zeros(std::span<std::byte> memory) override {
    return act([&] { installed_bytes += memory.size(); });
  }
  void wake(std::span<std::byte> memory) override {
    const std::lock_guard lock(mutex_);
    woken.push_back(memory.data());
    changed_.notify_all();
  }
  void release(std::span<std::byte> page) override {
    const std::lock_guard lock(mutex_);
    released.push_back(page.data());
    changed_.notify_all();
  }
  bool wait(std::vector<PageFault>& faults) override {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return stopped_ || !pending_.empty(); });
    faults.swap(pending_);
    pending_.clear();
    return !stopped_;
  }
  void stop() override {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
    changed_.notify_all();
  }

  /// Somebody touches `address`; returns when they were woken or released.
  void touch(std::byte* address, PageFault::Touch touch = PageFault::Touch::kWrite) {
    std::unique_lock lock(mutex_);
    const std::size_t answered = woken.size() + released.size();
    pending_.push_back({.address = address, .touch = touch, .thread = 0});
    changed_.notify_all();
    changed_.wait(lock, [&] { return woken.size() + released.size() > answered; });
  }
  /// Makes the call fail that comes after `calls` more.
  void fail_after(std::uint64_t calls) { calls_until_failure_ = calls; }
  void never_fail() { calls_until_failure_.reset(); }

  std::uint64_t watched_bytes = 0;
  std::uint64_t installed_bytes = 0;
  std::vector<std::byte*> woken;
  std::vector<std::byte*> released;

 private:
  template <typename Action>
  Result<void> act(Action action) {
    const std::lock_guard lock(mutex_);
    if (calls_until_failure_ && (*calls_until_failure_)-- == 0) {
      calls_until_failure_.reset();
      return failure(make_error(ErrorKind::kHostRefused, "no memory for a page"));
    }
    action();
    return {};
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<PageFault> pending_;
  bool stopped_ = false;
  std::optional<std::uint64_t> calls_until_failure_;
};

}  // namespace nestling::testing
