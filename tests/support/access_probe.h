// AccessProbe: a tiny guest that makes one access at a time, and tells what the CPU said to it.
#pragma once

#include <cstdint>
#include <variant>

#include "addrspace/guest_walk.h"
#include "tests/support/oracle_vcpu.h"

namespace nestling::x86_64 {

/// Makes accesses in long mode at either privilege. Its own code and tables lie above kTablesSize
/// in the vCPU's RAM; below are the tables under test, whose last top-level entry it uses.
class AccessProbe {
 public:
  /// RAM from 0 to here belongs to the test.
  static constexpr std::uint64_t kTestRam = 2ULL << 20;
  static constexpr std::uint64_t kRamSize = 4ULL << 20;
  /// What a fetch must find to be seen to arrive: `out dx, al`.
  static constexpr std::uint8_t kLandingByte = 0xee;

  struct Done {};  ///< the access was made, in RAM
  struct Mmio {    ///< the access was made where there is no RAM
    GuestPhysAddr address;
  };
  struct PageFault {
    std::uint32_t error_code = 0;
    GuestVirtAddr address;  ///< CR2
  };
  struct Lost {  ///< the guest ended in a way that says nothing about the access
    std::size_t exit_kind = 0;
  };
  using Outcome = std::variant<Done, Mmio, PageFault, Lost>;

  /// `vcpu` has kRamSize of RAM and outlives the probe; `root` is where the top-level table under
  /// test is.
  AccessProbe(OracleVcpu& vcpu, std::uint64_t root);

  /// One byte read, written (`value`) or executed at `gva`, by a CPU in `state` (in long mode).
  [[nodiscard]] Result<Outcome> make(const PagingState& state, GuestVirtAddr gva,
                                     GuestAccess access, std::uint8_t value);

 private:
  OracleVcpu& vcpu_;
};

}  // namespace nestling::x86_64
