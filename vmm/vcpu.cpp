// KVM_RUN, and the one place where the kernel's exit union is read.
#include "vmm/vcpu.h"

#include <sys/ioctl.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>

#include "vmm/kvm_api.h"

namespace nestling {

kvm_run& Vcpu::shared() const { return *reinterpret_cast<kvm_run*>(run_area_.bytes().data()); }

void Vcpu::set_immediate_exit(ImmediateExit value) {
  std::atomic_ref<std::uint8_t>(shared().immediate_exit).store(static_cast<std::uint8_t>(value));
}

Result<Exit> Vcpu::run() {
  if (ioctl(fd_.get(), KVM_RUN, 0) == 0) {
    return decode();
  }
  const int error_number = errno;
  if (error_number == EINTR || error_number == EAGAIN) {
    return Exit(InterruptedExit{});
  }
  // This exit, and only this one, comes with a failing KVM_RUN.
  if (shared().exit_reason == kKvmExitMemoryFault &&
      (error_number == EFAULT || error_number == EHWPOISON)) {
    return decode();
  }
  Error error = host_error(fmt::format("KVM_RUN of vCPU {}", id_), error_number);
  if (error_number == EFAULT) {
    error.message += " (the host could not give a page of guest memory)";
  }
  return failure(std::move(error));
}

Result<void> Vcpu::finish_exit() {
  set_immediate_exit(ImmediateExit::kOn);
  if (ioctl(fd_.get(), KVM_RUN, 0) == 0) {
    return failure(make_error(ErrorKind::kHostRefused,
                              "KVM_RUN of vCPU {} ran the guest in spite of immediate exit", id_));
  }
  const int error_number = errno;
  if (error_number != EINTR) {
    return failure(host_error(fmt::format("finishing an access of vCPU {}", id_), error_number));
  }
  return {};
}

namespace {

Exit decode_port(kvm_run& run, std::span<std::byte> area) {
  const auto& io = run.io;
  return PortExit{
      .port = Port(io.port),
      .direction = io.direction == KVM_EXIT_IO_OUT ? Direction::kWrite : Direction::kRead,
      .width = AccessWidth::of(io.size),
      .data = area.subspan(io.data_offset, std::size_t{io.size} * io.count),
  };
}

Exit decode_mmio(kvm_run& run) {
  auto& mmio = run.mmio;
  return MmioExit{
      .address = GuestPhysAddr(mmio.phys_addr),
      .direction = mmio.is_write != 0 ? Direction::kWrite : Direction::kRead,
      .data = std::as_writable_bytes(std::span(mmio.data)).first(mmio.len),
  };
}

Exit decode_system_event(const kvm_run& run) {
  using What = SystemEventExit::What;
  What what = What::kOther;
  switch (run.system_event.type) {
    case KVM_SYSTEM_EVENT_SHUTDOWN:
      what = What::kShutdown;
      break;
    case KVM_SYSTEM_EVENT_RESET:
      what = What::kReset;
      break;
    case KVM_SYSTEM_EVENT_CRASH:
      what = What::kCrash;
      break;
    default:
      break;
  }
  return SystemEventExit{
      .what = what, .raw_type = run.system_event.type, .flags = run.system_event.flags};
}

Exit decode_internal_error(const kvm_run& run) {
  InternalErrorExit exit;
  exit.suberror = run.internal.suberror;
  exit.data_count =
      std::min<std::uint32_t>(run.internal.ndata, static_cast<std::uint32_t>(exit.data.size()));
  std::copy_n(std::begin(run.internal.data), exit.data_count, exit.data.begin());
  return exit;
}

Exit decode_memory_fault(const kvm_run& run) {
  KvmMemoryFault fault{};
  std::memcpy(&fault, &run.hw, sizeof fault);  // `hw` stands where the union starts
  const auto range = GuestPhysRange::make(GuestPhysAddr(fault.gpa), fault.size);
  return MemoryFaultExit{.range = range.value_or(GuestPhysRange()), .flags = fault.flags};
}

}  // namespace

Exit Vcpu::decode() const {
  kvm_run& run = shared();
  switch (run.exit_reason) {
    case KVM_EXIT_IO:
      return decode_port(run, run_area_.bytes());
    case KVM_EXIT_MMIO:
      return decode_mmio(run);
    case KVM_EXIT_HLT:
      return HaltExit{run.if_flag != 0 ? HaltExit::Interrupts::kEnabled
                                       : HaltExit::Interrupts::kDisabled};
    case KVM_EXIT_SHUTDOWN:
      return ShutdownExit{};
    case KVM_EXIT_SYSTEM_EVENT:
      return decode_system_event(run);
    case KVM_EXIT_INTERNAL_ERROR:
      return decode_internal_error(run);
    case KVM_EXIT_FAIL_ENTRY:
      return FailEntryExit{run.fail_entry.hardware_entry_failure_reason};
    case kKvmExitMemoryFault:
      return decode_memory_fault(run);
    case KVM_EXIT_ARM_NISV:
      return UndecodedAccessExit{.address = GuestPhysAddr(run.arm_nisv.fault_ipa),
                                 .syndrome = run.arm_nisv.esr_iss};
    case KVM_EXIT_INTR:
      return InterruptedExit{};
    default:
      return UnknownExit{run.exit_reason};
  }
}

}  // namespace nestling
