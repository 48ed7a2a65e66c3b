// UffdPager: populates what anybody touches, through the address space, while the toucher waits.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <thread>
#include <vector>

#include "addrspace/address_space.h"
#include "addrspace/view_observer.h"
#include "vmm/memory/memory_event.h"
#include "vmm/memory/page_fault_source.h"
#include "vmm/verdict.h"

namespace nestling {

/// Two halves. As an observer it sees to it that a page has its frame in the host exactly when the
/// view has it, whoever populated it: areas are watched while they are mapped, frames installed
/// while they are populated, under the address space's writer lock. Its thread takes the faults of
/// those who were faster than the view, and has the address space populate.
///
///     vCPU ── touch ──▶ host: page missing ──▶ pager thread ── handle_page_fault ──▶ AddressSpace
///      ▲                                                                                 │ prepare
///      └──────────────── frame installed, toucher let go ◀── UffdPager as observer ◀─────┘
class UffdPager final : public ViewObserver {
 public:
  struct Options {
    /// Who wants to know of faults; null for nobody. Must outlive the pager.
    MemoryEventSink* sink = nullptr;
    /// Ends the run, from the pager's thread, when there is no memory to give.
    std::function<void(Verdict)> stop_run;
  };
  struct Statistics {
    std::uint64_t faults = 0;     ///< taken
    std::uint64_t populated = 0;  ///< for which frames came into being
    std::uint64_t present = 0;    ///< for which somebody else had been faster
    std::uint64_t refused = 0;    ///< for which there was no memory
    std::uint64_t strays = 0;     ///< of memory that is no area's any more
  };

  /// Observes `space`, in which nothing may be mapped yet, until it goes; `space` must outlive it.
  /// Fails with kHostRefused.
  [[nodiscard]] static Result<std::unique_ptr<UffdPager>> start(
      AddressSpace& space, std::unique_ptr<PageFaultSource> source, Options options);
  UffdPager(const UffdPager&) = delete;
  UffdPager& operator=(const UffdPager&) = delete;
  /// Nobody may touch watched memory any more.
  ~UffdPager() override;

  /// Faults of the calling thread are this actor's from now on. Of at most 256 threads; those of
  /// others are the VMM's.
  void name_this_thread(Actor actor);

  [[nodiscard]] Result<void> prepare(std::span<const ViewChange> changes) override;
  void abandon(std::span<const ViewChange> changes) override;
  void changed(const ViewChange& /*change*/) override {}

  [[nodiscard]] Statistics statistics() const;

 private:
  struct NamedThread {
    std::atomic<pid_t> thread = 0;
    Actor actor;
  };
  /// Watched frames and the guest addresses they stand behind.
  struct Watched {
    HostPhysRange host;
    GuestPhysAddr guest;
  };

  UffdPager(AddressSpace& space, std::unique_ptr<PageFaultSource> source, Options options)
      : space_(space), source_(std::move(source)), options_(std::move(options)) {}

  [[nodiscard]] Result<void> follow(const ViewChange& change);
  void undo(const ViewChange& change);
  [[nodiscard]] std::span<std::byte> bytes_of_change(const ViewChange& change) const;
  void add_watched(const ViewChange& change);
  void remove_watched(const ViewChange& change);
  [[nodiscard]] std::optional<GuestPhysAddr> guest_of(const std::byte* address) const;
  [[nodiscard]] Actor actor_of_thread(pid_t thread) const;
  void serve_all();
  void serve(const PageFault& fault);

  AddressSpace& space_;
  std::unique_ptr<PageFaultSource> source_;
  const Options options_;

  mutable std::mutex watched_mutex_;  ///< guards what follows; innermost of all locks
  std::map<HostPhysAddr, Watched> watched_;

  std::array<NamedThread, 256> threads_;
  std::atomic<std::size_t> thread_count_ = 0;

  std::atomic<std::uint64_t> faults_ = 0;
  std::atomic<std::uint64_t> populated_ = 0;
  std::atomic<std::uint64_t> present_ = 0;
  std::atomic<std::uint64_t> refused_ = 0;
  std::atomic<std::uint64_t> strays_ = 0;

  std::thread thread_;  // the last member: it uses all the others
};

}  // namespace nestling
