// From a host address that somebody touched to a populated guest page.
#include "vmm/memory/uffd_pager.h"

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "base/thread.h"
#include "vmm/memory/memory_exits.h"

namespace nestling {

namespace {

/// While it lives, this thread and those it starts take no signals: they are for others.
class SignalsHeld {
 public:
  SignalsHeld() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~SignalsHeld() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  SignalsHeld(const SignalsHeld&) = delete;
  SignalsHeld& operator=(const SignalsHeld&) = delete;

 private:
  sigset_t before_{};
};

}  // namespace

Result<std::unique_ptr<UffdPager>> UffdPager::start(AddressSpace& space,
                                                    std::unique_ptr<PageFaultSource> source,
                                                    Options options) {
  std::unique_ptr<UffdPager> pager(new UffdPager(space, std::move(source), std::move(options)));
  const SignalsHeld held;
  auto thread = start_thread("page faults", [&each = *pager] { each.serve_all(); });
  if (!thread) {
    return failure(thread.error());
  }
  pager->thread_ = *std::move(thread);
  space.add_observer(*pager);
  return pager;
}

UffdPager::~UffdPager() {
  if (thread_.joinable()) {
    source_->stop();
    thread_.join();
    space_.remove_observer(*this);
  }
}

void UffdPager::name_this_thread(Actor actor) {
  const std::size_t index = thread_count_.fetch_add(1, std::memory_order_relaxed);
  if (index < threads_.size()) {
    threads_.at(index).actor = actor;
    threads_.at(index).thread.store(gettid(), std::memory_order_release);
  }
}

Actor UffdPager::actor_of_thread(pid_t thread) const {
  const std::size_t count =
      std::min(thread_count_.load(std::memory_order_relaxed), threads_.size());
  for (std::size_t i = 0; i < count; ++i) {
    if (threads_.at(i).thread.load(std::memory_order_acquire) == thread) {
      return threads_.at(i).actor;
    }
  }
  return {.kind = Actor::Kind::kVmm};
}

std::span<std::byte> UffdPager::bytes_of_change(const ViewChange& change) const {
  return space_.pool().bytes(HostPhysRange::of(change.host, change.range.size()));
}

void UffdPager::add_watched(const ViewChange& change) {
  const std::lock_guard lock(watched_mutex_);
  const Watched added{HostPhysRange::of(change.host, change.range.size()), change.range.start()};
  watched_.emplace(change.host, added);
}

void UffdPager::remove_watched(const ViewChange& change) {
  const HostPhysRange gone = HostPhysRange::of(change.host, change.range.size());
  const std::lock_guard lock(watched_mutex_);
  auto found = watched_.upper_bound(gone.start());
  if (found != watched_.begin()) {
    --found;
  }
  while (found != watched_.end() && found->second.host.start() <= gone.last()) {
    const Watched old = found->second;
    if (!old.host.overlaps(gone)) {
      ++found;
      continue;
    }
    found = watched_.erase(found);
    const auto keep = [&](HostPhysRange part) {
      const GuestPhysAddr guest = old.guest + part.start().offset_from(old.host.start());
      watched_.emplace(part.start(), Watched{part, guest});
    };
    if (old.host.start() < gone.start()) {
      keep(HostPhysRange::of(old.host.start(), gone.start().offset_from(old.host.start())));
    }
    if (gone.last() < old.host.last()) {
      keep(HostPhysRange::of(gone.last() + 1, old.host.last().offset_from(gone.last())));
    }
  }
}

Result<void> UffdPager::follow(const ViewChange& change) {
  if (change.backend != Backend::kAlloc) {
    return {};  // the frames are, and are watched as, somebody else's
  }
  switch (change.kind) {
    case ViewChange::Kind::kMap:
      if (auto done = source_->watch(bytes_of_change(change)); !done) {
        return done;
      }
      add_watched(change);
      return {};
    case ViewChange::Kind::kUnmap:
      if (auto done = source_->unwatch(bytes_of_change(change)); !done) {
        return done;
      }
      remove_watched(change);
      return {};
    case ViewChange::Kind::kPopulate:
      return source_->install_zeros(bytes_of_change(change));
    case ViewChange::Kind::kDiscard:
      // The pool takes the frames from the host next, and the next touch is to fault.
      return source_->watch(bytes_of_change(change));
    case ViewChange::Kind::kProtect:
      break;
  }
  return {};
}

/// Takes back what follow() did; frames that were installed are the pool's to give back.
void UffdPager::undo(const ViewChange& change) {
  if (change.backend != Backend::kAlloc) {
    return;
  }
  if (change.kind == ViewChange::Kind::kMap) {
    remove_watched(change);
    (void)source_->unwatch(bytes_of_change(change)).has_value();
  } else if (change.kind == ViewChange::Kind::kUnmap) {
    // Unwatched memory is paged in by the host: what is lost is the sight of its faults.
    if (source_->watch(bytes_of_change(change))) {
      add_watched(change);
    }
  }
}

Result<void> UffdPager::prepare(std::span<const ViewChange> changes) {
  for (std::size_t i = 0; i < changes.size(); ++i) {
    if (auto done = follow(changes[i]); !done) {
      abandon(changes.first(i));
      return done;
    }
  }
  return {};
}

void UffdPager::abandon(std::span<const ViewChange> changes) {
  for (std::size_t i = changes.size(); i-- != 0;) {
    undo(changes[i]);
  }
}

std::optional<GuestPhysAddr> UffdPager::guest_of(const std::byte* address) const {
  const std::byte* const first = space_.pool().pointer(HostPhysAddr(0));
  const HostPhysAddr host(static_cast<std::uint64_t>(address - first));
  const std::lock_guard lock(watched_mutex_);
  auto found = watched_.upper_bound(host);
  if (found == watched_.begin() || !std::prev(found)->second.host.contains(host)) {
    return std::nullopt;
  }
  const Watched& watched = std::prev(found)->second;
  return watched.guest + host.offset_from(watched.host.start());
}

void UffdPager::serve(const PageFault& fault) {
  faults_.fetch_add(1, std::memory_order_relaxed);
  const auto offset = reinterpret_cast<std::uintptr_t>(fault.address) % kPageSize;
  const std::span page(fault.address - offset, kPageSize);
  const std::optional<GuestPhysAddr> gpa = guest_of(page.data());
  if (!gpa) {
    strays_.fetch_add(1, std::memory_order_relaxed);
    source_->wake(page);
    return;
  }
  const Actor actor = actor_of_thread(fault.thread);
  // Rights are between the guest and its slots: here whoever touches may.
  const FaultResult result = space_.handle_page_fault(*gpa, Access::none(), actor);
  using Outcome = MemoryEvent::Outcome;
  MemoryEvent event{
      .kind = MemoryEvent::Kind::kFault,
      .actor = actor,
      .gpa = *gpa,
      .size = 0,
      .access = fault.touch == PageFault::Touch::kWrite ? Access::write() : Access::read(),
      .outcome = Outcome::kPopulated};
  switch (result.outcome) {
    case FaultOutcome::kResolved:
      populated_.fetch_add(1, std::memory_order_relaxed);
      break;
    case FaultOutcome::kAlreadyPresent:
      present_.fetch_add(1, std::memory_order_relaxed);
      event.outcome = Outcome::kPresent;
      break;
    case FaultOutcome::kNoArea:
    case FaultOutcome::kDenied:
      strays_.fetch_add(1, std::memory_order_relaxed);
      source_->wake(page);
      return;
    case FaultOutcome::kOutOfMemory:
    case FaultOutcome::kRefused:
      refused_.fetch_add(1, std::memory_order_relaxed);
      event.outcome = Outcome::kOutOfMemory;
      break;
  }
  if (options_.sink != nullptr) {
    options_.sink->tell(event);
  }
  if (event.outcome == Outcome::kOutOfMemory) {
    // Stopped first: a vCPU that is let go then comes out of the guest, not back into it.
    options_.stop_run({.kind = VerdictKind::kHostRefused, .reason = shortage_words(space_, *gpa)});
    source_->release(page);
  } else {
    source_->wake(page);
  }
}

void UffdPager::serve_all() {
  std::vector<PageFault> faults;
  while (source_->wait(faults)) {
    for (const PageFault& fault : faults) {
      serve(fault);
    }
  }
}

UffdPager::Statistics UffdPager::statistics() const {
  return {.faults = faults_.load(std::memory_order_relaxed),
          .populated = populated_.load(std::memory_order_relaxed),
          .present = present_.load(std::memory_order_relaxed),
          .refused = refused_.load(std::memory_order_relaxed),
          .strays = strays_.load(std::memory_order_relaxed)};
}

}  // namespace nestling
