// One page of memory for the one question, one guest for the other.
#include "vmm/memory/kvm_memory_probes.h"

#include <sys/mman.h>

#include <cerrno>

#include "boot/flat_image.h"
#include "vmm/architecture.h"
#include "vmm/memory/guest_ram.h"
#include "vmm/memory/userfault.h"
#include "vmm/memory/vm_slot_table.h"
#include "vmm/trial_code.h"

namespace nestling {

Result<std::unique_ptr<PageFaultSource>> KvmMemoryProbes::page_faults() {
  auto source = Userfault::open();
  if (!source) {
    return failure(source.error());
  }
  auto page = HostMapping::anonymous(kPageSize, kPageSize);
  if (!page) {
    return failure(page.error());
  }
  for (auto step : {&PageFaultSource::watch, &PageFaultSource::install_zeros}) {
    if (auto done = ((**source).*step)(page->bytes()); !done) {
      return failure(done.error());
    }
  }
  return std::unique_ptr<PageFaultSource>(*std::move(source));
}

Result<bool> KvmMemoryProbes::gives_memory_faults() {
  constexpr std::uint64_t kRamSize = 4ULL << 20;
  constexpr std::uint64_t kCodeOffset = 2ULL << 20;
  const auto ranges = ram_layout(kvm_, kRamSize);
  if (!ranges) {
    return failure(ranges.error());
  }
  const GuestPhysAddr code_address = ranges->front().start() + kCodeOffset;
  auto ram = GuestRam::create({.size = kRamSize}, *ranges);
  if (!ram) {
    return failure(ram.error());
  }
  if (auto done = (*ram)->map_ram(GuestRam::HugePages::kNever); !done) {
    return failure(done.error());
  }
  auto vm = kvm_.create_vm();
  if (!vm) {
    return failure(vm.error());
  }
  VmSlotTable slots(*vm);
  const GuestRam::Region region = (*ram)->regions().front();
  if (auto done = slots.add_slot({.guest = region.guest, .host = region.host}); !done) {
    return failure(done.error());
  }
  auto vcpu = vm->create_vcpu(0);
  if (!vcpu) {
    return failure(vcpu.error());
  }
  const TrialCode code = trial_code();
  const auto image = make_flat_image(code.device_writes, code_address, code.architecture);
  if (!image) {
    return failure(image.error());
  }
  const BootRequest request{.image = *image, .ram = *ranges, .command_line = {}, .devices = {}};
  const Log log(Verbosity::kNormal);
  if (auto done = boot_vcpus(kvm_, *vm, std::span(&*vcpu, 1), Irqchip::kAbsent, request,
                             (*ram)->memory(), log);
      !done) {
    return failure(done.error());
  }
  // The code goes out of reach: the guest's first instruction is the touch.
  const std::span<std::byte> hidden = region.host.subspan(kCodeOffset, kPageSize);
  if (mprotect(hidden.data(), hidden.size(), PROT_NONE) != 0) {
    return failure(host_error("mprotect of a trial guest's page", errno));
  }
  const Result<Exit> exit = vcpu->run();
  const auto* const fault = exit ? std::get_if<MemoryFaultExit>(&*exit) : nullptr;
  return fault != nullptr && fault->range.contains(code_address);
}

}  // namespace nestling
