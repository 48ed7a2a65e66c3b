// The guest's few instructions, its descriptor tables, and the registers to enter it with.
#include "tests/support/access_probe.h"

#include <sys/ioctl.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <initializer_list>

#include "vmm/kvm_api.h"

namespace nestling::x86_64 {

namespace {

// Guest-physical addresses of the probe's own pages, mapped one after the other from kBase.
constexpr std::uint64_t kFirstPage = AccessProbe::kTestRam;
constexpr std::uint64_t kBase = 0xffff'ffff'8000'0000;
constexpr std::uint64_t kDescriptors = 0;  // GDT at 0, TSS at 0x800
constexpr std::uint64_t kIdt = 0x1000;
constexpr std::uint64_t kCode = 0x2000;  // for the supervisor, with the handler
constexpr std::uint64_t kStackTop = 0x4000;
constexpr std::uint64_t kUserCode = 0x4000;  // the same instructions again
constexpr std::uint64_t kPages = 5;
constexpr std::uint64_t kTables = kFirstPage + 0x8000;

// Accessed and dirty from the start, so that nothing of the probe's own changes.
constexpr std::uint64_t kTableFlags = 0x27;
constexpr std::uint64_t kPage = 0x63;
constexpr std::uint64_t kUserPage = 0x67;

// Offsets in a code page.
constexpr std::uint64_t kReadCode = 0x00;
constexpr std::uint64_t kWriteCode = 0x10;
constexpr std::uint64_t kFetchCode = 0x20;
constexpr std::uint64_t kHandler = 0x30;

constexpr Port kDonePort{0x80};
constexpr Port kFaultPort{0x81};

void put(OracleVcpu& vcpu, std::uint64_t gpa, std::initializer_list<std::uint8_t> bytes) {
  std::memcpy(&vcpu.ram()[gpa], bytes.begin(), bytes.size());
}
void put64(OracleVcpu& vcpu, std::uint64_t gpa, std::uint64_t value) {
  std::memcpy(&vcpu.ram()[gpa], &value, sizeof value);
}

void put_code(OracleVcpu& vcpu, std::uint64_t page) {
  put(vcpu, page + kReadCode, {0x8a, 0x07, 0xee});   // mov al, [rdi]; out dx, al
  put(vcpu, page + kWriteCode, {0x88, 0x07, 0xee});  // mov [rdi], al; out dx, al
  put(vcpu, page + kFetchCode, {0xff, 0xe7});        // jmp rdi
}

kvm_segment segment(std::uint16_t selector, std::uint8_t type, std::uint8_t privilege) {
  kvm_segment segment{};
  segment.limit = 0xffff'ffff;
  segment.selector = static_cast<std::uint16_t>(selector | privilege);
  segment.type = type;
  segment.present = 1;
  segment.dpl = privilege;
  segment.s = 1;
  segment.g = 1;
  const bool code = (type & 8) != 0;
  segment.l = code ? 1 : 0;
  segment.db = code ? 0 : 1;
  return segment;
}

void set_segments(kvm_sregs& sregs, bool user) {
  const std::uint8_t privilege = user ? 3 : 0;
  sregs.cs = segment(user ? 0x20 : 0x08, 0xb, privilege);
  sregs.ss = segment(user ? 0x18 : 0x10, 0x3, privilege);
  sregs.ds = sregs.es = sregs.fs = sregs.gs = sregs.ss;
  sregs.gdt = {kBase + kDescriptors, 0x37, {}};
  sregs.idt = {kBase + kIdt, 0xfff, {}};
  sregs.tr = {};
  sregs.tr.base = kBase + 0x800;
  sregs.tr.limit = 0x67;
  sregs.tr.selector = 0x28;
  sregs.tr.type = 0xb;
  sregs.tr.present = 1;
}

}  // namespace

AccessProbe::AccessProbe(OracleVcpu& vcpu, std::uint64_t root) : vcpu_(vcpu) {
  put64(vcpu, kFirstPage + kDescriptors + 0x08, 0x00af'9b00'0000'ffff);  // supervisor code
  put64(vcpu, kFirstPage + kDescriptors + 0x10, 0x00cf'9300'0000'ffff);
  put64(vcpu, kFirstPage + kDescriptors + 0x18, 0x00cf'f300'0000'ffff);
  put64(vcpu, kFirstPage + kDescriptors + 0x20, 0x00af'fb00'0000'ffff);  // user code
  put64(vcpu, kFirstPage + kDescriptors + 0x28, 0x8000'8b00'0800'0067);  // TSS, base 0x80000800
  put64(vcpu, kFirstPage + kDescriptors + 0x30, 0xffff'ffff);
  put64(vcpu, kFirstPage + 0x804, kBase + kStackTop);
  const std::uint64_t handler = kBase + kCode + kHandler;
  put64(vcpu, kFirstPage + kIdt + 14 * 16,
        (handler & 0xffff) | 0x8ULL << 16 | 0x8e00ULL << 32 | (handler >> 16 & 0xffff) << 48);
  put64(vcpu, kFirstPage + kIdt + 14 * 16 + 8, handler >> 32);
  put_code(vcpu, kFirstPage + kCode);
  put_code(vcpu, kFirstPage + kUserCode);
  put(vcpu, kFirstPage + kCode + kHandler, {0x58, 0xe6, 0x81});  // pop rax; out 0x81, al
  // Its own tables: the last entry of each level but for the page directory's.
  put64(vcpu, root + 511 * 8, kTables + kTableFlags);
  put64(vcpu, kTables + 510 * 8, kTables + 0x1000 + kTableFlags);
  put64(vcpu, kTables + 0x1000, kTables + 0x2000 + kTableFlags);
  for (std::uint64_t page = 0; page < kPages; ++page) {
    const bool user = page * kPageSize == kUserCode;
    put64(vcpu, kTables + 0x2000 + page * 8,
          kFirstPage + page * kPageSize + (user ? kUserPage : kPage));
  }
}

Result<AccessProbe::Outcome> AccessProbe::make(const PagingState& state, GuestVirtAddr gva,
                                               GuestAccess access, std::uint8_t value) {
  if (auto done = vcpu_.load(state); !done) {
    return failure(done.error());
  }
  const bool user = access.privilege == Privilege::kUser;
  kvm_sregs sregs{};
  kvm_regs regs{};
  const int fd = vcpu_.vcpu().fd();
  if (ioctl(fd, KVM_GET_SREGS, &sregs) < 0 || ioctl(fd, KVM_GET_REGS, &regs) < 0) {
    return failure(host_error("reading the vCPU's registers", errno));
  }
  set_segments(sregs, user);
  sregs.cr2 = 0;
  regs = {};
  const std::uint64_t code = access.kind == AccessKind::kRead    ? kReadCode
                             : access.kind == AccessKind::kWrite ? kWriteCode
                                                                 : kFetchCode;
  regs.rip = kBase + (user ? kUserCode : kCode) + code;
  regs.rsp = kBase + kStackTop;
  regs.rdi = gva.value();
  regs.rdx = kDonePort.value();
  regs.rax = value;
  regs.rflags = 2 | 3U << 12 | (state.alignment_check ? 1U << 18 : 0U);  // IOPL 3: `out` for all
  if (ioctl(fd, KVM_SET_SREGS, &sregs) < 0 || ioctl(fd, KVM_SET_REGS, &regs) < 0) {
    return failure(host_error("setting the vCPU's registers", errno));
  }
  auto exit = vcpu_.vcpu().run();
  if (!exit) {
    return failure(exit.error());
  }
  Outcome outcome = Lost{exit->index()};
  if (const auto* mmio = std::get_if<MmioExit>(&*exit)) {
    outcome = Mmio{mmio->address};
  } else if (const auto* port = std::get_if<PortExit>(&*exit)) {
    if (ioctl(fd, KVM_GET_SREGS, &sregs) < 0 || ioctl(fd, KVM_GET_REGS, &regs) < 0) {
      return failure(host_error("reading the vCPU's registers", errno));
    }
    if (port->port == kDonePort) {
      outcome = Done{};
    } else if (port->port == kFaultPort) {
      outcome = PageFault{static_cast<std::uint32_t>(regs.rax), GuestVirtAddr(sregs.cr2)};
    }
  }
  // The exit's instruction is completed before registers change.
  vcpu_.vcpu().set_immediate_exit(Vcpu::ImmediateExit::kOn);
  const auto completed = vcpu_.vcpu().run();
  vcpu_.vcpu().set_immediate_exit(Vcpu::ImmediateExit::kOff);
  if (!completed) {
    return failure(completed.error());
  }
  return outcome;
}

}  // namespace nestling::x86_64
