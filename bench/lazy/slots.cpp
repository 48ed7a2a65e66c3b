// What one change of KVM's memory slots costs when there are few and when there are many: the bare
// ioctl, and the whole way from a populated page of the view through the mirror, in turns.
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <span>
#include <vector>

#include <fmt/core.h>

#include "addrspace/address_space.h"
#include "addrspace/ram_pool.h"
#include "bench/alternate.h"
#include "vmm/kvm_system.h"
#include "vmm/memory/run_gate.h"
#include "vmm/memory/slot_mirror.h"
#include "vmm/memory/vm_slot_table.h"
#include "vmm/verdict.h"

namespace {

using namespace nestling;  // NOLINT(google-build-using-namespace): a program of one file
using std::chrono::nanoseconds;
using std::chrono::steady_clock;

/// Every other page is shown, so that no two slots could be one.
constexpr std::uint64_t kStride = 2 * kPageSize;
constexpr std::uint64_t kCapacity = 256 << 20;

GuestPhysRange page_number(std::uint64_t number) {
  return GuestPhysRange::of(GuestPhysAddr(number * kStride), kPageSize);
}

/// Slots of a VM set one by one, as the yardstick.
class BareSlots {
 public:
  static Result<std::unique_ptr<BareSlots>> create(const KvmSystem& kvm, RamPool& pool) {
    auto vm = kvm.create_vm();
    if (!vm) {
      return failure(vm.error());
    }
    const auto extent = pool.allocate(PageSize::k4KiB);
    if (!extent) {
      return failure(make_error(ErrorKind::kHostRefused, "{}", describe(extent.error())));
    }
    return std::unique_ptr<BareSlots>(new BareSlots(*std::move(vm), pool.bytes(*extent)));
  }
  Result<void> add(std::uint32_t number) {
    return table_.add_slot({number, page_number(number), page_, SlotRights::kReadWrite});
  }
  Result<void> remove(std::uint32_t number) { return table_.remove_slot(number); }

 private:
  BareSlots(Vm vm, std::span<std::byte> page) : vm_(std::move(vm)), table_(vm_), page_(page) {}

  Vm vm_;
  VmSlotTable table_;
  std::span<std::byte> page_;  // one for all: what stands behind a slot costs nothing here
};

/// A view whose populated pages are mirrored.
class MirroredSlots {
 public:
  static Result<std::unique_ptr<MirroredSlots>> create(const KvmSystem& kvm, RamPool& pool) {
    auto vm = kvm.create_vm();
    if (!vm) {
      return failure(vm.error());
    }
    auto space = AddressSpace::create(
        pool,
        {.range = GuestPhysRange::of(GuestPhysAddr(0), kCapacity / 2), .fault_granule = kPageSize});
    if (!space) {
      return failure(space.error());
    }
    std::unique_ptr<MirroredSlots> slots(new MirroredSlots(*std::move(vm), *std::move(space)));
    if (auto done =
            slots->space_->map_alloc(slots->space_->range(), Populate::kOnTouch, {.name = "ram"});
        !done) {
      return failure(make_error(ErrorKind::kHostRefused, "{}", describe(done.error())));
    }
    return slots;
  }
  Result<void> add(std::uint32_t number) { return checked(space_->populate(page_number(number))); }
  Result<void> remove(std::uint32_t number) {
    return checked(space_->discard(page_number(number)));
  }

 private:
  MirroredSlots(Vm vm, std::unique_ptr<AddressSpace> space)
      : vm_(std::move(vm)),
        table_(vm_),
        space_(std::move(space)),
        mirror_(*space_, table_, gate_, {.shows = SlotMirror::Shows::kPopulated}) {}

  static Result<void> checked(const Result<void, SpaceError>& done) {
    if (!done) {
      return failure(make_error(ErrorKind::kHostRefused, "{}", describe(done.error())));
    }
    return {};
  }

  Vm vm_;
  VmSlotTable table_;
  RunGate gate_;
  std::unique_ptr<AddressSpace> space_;
  SlotMirror mirror_;
};

struct Costs {
  std::vector<nanoseconds> add;
  std::vector<nanoseconds> remove;
};

/// Adds slot `number`, takes it away again, and notes what both took.
template <typename Slots>
Result<void> measure(Slots& slots, std::uint32_t number, Costs& costs) {
  const auto start = steady_clock::now();
  if (auto done = slots.add(number); !done) {
    return done;
  }
  const auto added = steady_clock::now();
  if (auto done = slots.remove(number); !done) {
    return done;
  }
  costs.add.push_back(added - start);
  costs.remove.push_back(steady_clock::now() - added);
  return {};
}

double in_us(const std::vector<nanoseconds>& costs) {
  return bench::in_ms(bench::median(costs)) * 1000;
}

Result<void> run(unsigned rounds) {
  const auto kvm = KvmSystem::open();
  if (!kvm) {
    return failure(kvm.error());
  }
  auto pool = RamPool::create({.capacity = kCapacity, .backing = AnonymousBacking{}});
  if (!pool) {
    return failure(pool.error());
  }
  auto bare = BareSlots::create(*kvm, **pool);
  auto mirrored = MirroredSlots::create(*kvm, **pool);
  if (!bare || !mirrored) {
    return failure(!bare ? bare.error() : mirrored.error());
  }
  fmt::print("slots: microseconds for one change, medians of {} in turns\n", rounds);
  fmt::print("{:>8} {:>12} {:>14} {:>12} {:>14} {:>8}\n", "slots", "add, ioctl", "add, mirrored",
             "remove", "remove, mirr.", "ratio");
  std::uint32_t count = 0;
  for (const std::uint32_t target : {10U, 100U, 1000U, 10000U}) {
    for (; count < target; ++count) {
      if (auto done = (*bare)->add(count); !done) {
        return done;
      }
      if (auto done = (*mirrored)->add(count); !done) {
        return done;
      }
    }
    Costs bare_costs;
    Costs mirrored_costs;
    for (unsigned round = 0; round < rounds; ++round) {
      if (auto done = measure(**bare, count, bare_costs); !done) {
        return done;
      }
      if (auto done = measure(**mirrored, count, mirrored_costs); !done) {
        return done;
      }
    }
    fmt::print("{:>8} {:>12.2f} {:>14.2f} {:>12.2f} {:>14.2f} {:>8.2f}\n", target,
               in_us(bare_costs.add), in_us(mirrored_costs.add), in_us(bare_costs.remove),
               in_us(mirrored_costs.remove),
               (in_us(mirrored_costs.add) + in_us(mirrored_costs.remove)) /
                   (in_us(bare_costs.add) + in_us(bare_costs.remove)));
  }
  return {};
}

}  // namespace

int main(int argc, char** argv) {
  const std::span arguments(argv, static_cast<std::size_t>(argc));
  if (const auto done = run(bench::rounds_from(arguments, 101)); !done) {
    fmt::print(stderr, "slots: {}\n", done.error().message);
    return exit_code(done.error().kind);
  }
  return 0;
}
