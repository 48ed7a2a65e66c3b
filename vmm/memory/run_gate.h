// RunGate: lets vCPUs into the guest, and keeps them all out while the memory under them changes.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <vector>

namespace nestling {

/// vCPU threads pass it on each way into the guest and back: one atomic store and one load each.
/// Whoever has to take something away that a running vCPU may be using closes it, which waits until
/// nobody is inside, and opens it again.
///
/// A thread that closes it must not be inside; a vCPU thread that handles an exit is not. Several
/// may keep it closed at once. Whoever closes it must hold no lock that a vCPU inside the guest, or
/// who serves its page faults, may need.
class RunGate {
 public:
  /// One vCPU's place at the gate. Its runner's, which must be added before the vCPU first runs and
  /// must outlive the gate's last close().
  class Seat {
   public:
    Seat() = default;
    Seat(const Seat&) = delete;
    Seat& operator=(const Seat&) = delete;
    virtual ~Seat() = default;

   protected:
    /// Makes the vCPU come back from the guest soon, or not enter it: no kick may be lost. Any
    /// thread.
    virtual void kick_out() = 0;

   private:
    friend class RunGate;
    std::atomic<bool> is_inside_ = false;
  };

  RunGate() = default;
  RunGate(const RunGate&) = delete;
  RunGate& operator=(const RunGate&) = delete;
  ~RunGate() = default;

  /// Before any vCPU runs.
  void add(Seat& seat) { seats_.push_back(&seat); }

  /// To be called by the vCPU's thread right before it enters the guest. Waits while the gate is
  /// closed.
  void enter(Seat& seat) {
    for (;;) {
      // Both sequentially consistent, here and in close(): either the vCPU sees that the gate is
      // closed, or who closes it sees the vCPU inside.
      seat.is_inside_.store(true);
      if (closed_.load() == 0) [[likely]] {
        return;
      }
      leave(seat);
      wait_until_open();
    }
  }
  /// Right after it came back.
  void leave(Seat& seat) {
    seat.is_inside_.store(false);
    if (closed_.load() != 0) [[unlikely]] {
      tell_of_leaving();
    }
  }

  /// Keeps every vCPU out of the guest from when this returns until open().
  void close();
  void open();

 private:
  void wait_until_open();
  void tell_of_leaving();
  [[nodiscard]] bool is_anybody_inside() const;

  std::vector<Seat*> seats_;
  std::atomic<std::uint32_t> closed_ = 0;  // by how many
  std::mutex mutex_;
  std::condition_variable changed_;
};

/// Keeps a gate closed while it lives.
class GateClosed {
 public:
  explicit GateClosed(RunGate& gate) : gate_(gate) { gate_.close(); }
  ~GateClosed() { gate_.open(); }
  GateClosed(const GateClosed&) = delete;
  GateClosed& operator=(const GateClosed&) = delete;

 private:
  RunGate& gate_;
};

}  // namespace nestling
