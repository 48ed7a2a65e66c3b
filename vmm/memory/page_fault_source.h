// PageFaultSource: first touches of this process's own memory, told to this process, which decides
// when the toucher may go on.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/result.h"

namespace nestling {

/// Somebody touched watched memory that is not there, and waits.
struct PageFault {
  std::byte* address = nullptr;
  enum class Touch : std::uint8_t { kRead, kWrite };
  /// As the host resolves it: KVM may ask for more than its guest did.
  Touch touch = Touch::kRead;
  pid_t thread = 0;
};

/// All spans are page-aligned. wait() is for one thread; the rest any thread may call.
class PageFaultSource {
 public:
  virtual ~PageFaultSource() = default;

  /// From now on whoever touches a page of `memory` that is not there waits, inside the kernel too.
  /// It may be watched already.
  /// Fails with kHostRefused.
  [[nodiscard]] virtual Result<void> watch(std::span<std::byte> memory) = 0;
  /// No longer; lets go who waits. Fails with kHostRefused.
  [[nodiscard]] virtual Result<void> unwatch(std::span<std::byte> memory) = 0;

  /// Gives every page of `memory` that is not there a frame of zeros. Pages that are there keep
  /// their bytes. Who waits for one may be let go here, and is at the latest by wake(). What is
  /// taken from the host afterwards must be watched again first. Fails with kHostRefused, perhaps
  /// half way.
  [[nodiscard]] virtual Result<void> install_zeros(std::span<std::byte> memory) = 0;
  /// Lets go who waits for pages of `memory`: to touch it again.
  virtual void wake(std::span<std::byte> memory) = 0;
  /// Lets go who waits for `page`, which cannot have a frame, with the host's shared page of zeros:
  /// for a run that is ending.
  virtual void release(std::span<std::byte> page) = 0;

  /// Waits for faults, and puts them in `faults`. False when stop() was called.
  [[nodiscard]] virtual bool wait(std::vector<PageFault>& faults) = 0;
  /// Ends wait(), now or when it is called next.
  virtual void stop() = 0;
};

}  // namespace nestling
