// Guests that really triple-fault, and what is said of them from what KVM leaves. On AMD, KVM
// resets a CPU that shut down: every case must then say that its registers tell nothing.
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "boot/flat_image.h"
#include "tests/support/fake_byte_sink.h"
#include "tests/support/fake_room_listener.h"
#include "vmm/architecture.h"
#include "vmm/machine.h"

namespace nestling {
namespace {

constexpr GuestPhysAddr kCode(0x10'0000);

/// The postmortem of a machine that ran `code`, which was to end in a triple fault.
Result<Postmortem> crash(const std::vector<std::uint8_t>& code) {
  const auto kvm = KvmSystem::open();
  if (!kvm) {
    return failure(kvm.error());
  }
  const auto image = make_flat_image(std::as_bytes(std::span(code)), kCode, Architecture::kX86_64);
  if (!image) {
    return failure(image.error());
  }
  FakeByteSink console;
  FakeRoomListener room;
  const Log log(Verbosity::kNormal);
  MachineConfig config;
  config.memory.size = 4ULL << 20;
  auto machine =
      Machine::create(*kvm, *image, config, {.console = console, .console_room = room, .log = log});
  if (!machine) {
    return failure(machine.error());
  }
  const Verdict verdict = (*machine)->run(std::chrono::steady_clock::now());
  if (verdict.kind != VerdictKind::kTripleFault) {
    return failure(make_error(ErrorKind::kBug, "no triple fault: {}", verdict.reason));
  }
  VcpuRunner& runner = (*machine)->deciding_runner();
  const SymbolTable symbols;
  const std::vector<ExitRecord> exits = runner.recent_exits().list();
  return examine({.vcpu = runner.vcpu(),
                  .memory = (*machine)->ram().memory(),
                  .symbols = symbols,
                  .last_exits = exits,
                  .exit_count = runner.recent_exits().total(),
                  .last_console_line = {}});
}

class PostmortemKvm : public ::testing::Test {
 protected:
  void SetUp() override {
    if (const auto kvm = KvmSystem::open(); !kvm) {
      GTEST_SKIP() << kvm.error().message;
    }
  }

  static std::string reason_of(const std::vector<std::uint8_t>& code) {
    const auto postmortem = crash(code);
    return postmortem ? postmortem->shutdown_reason : postmortem.error().message;
  }

  /// What `reason_of` says where KVM keeps the registers, else the words for that they are lost.
  static std::string where_kept(const std::string& reason) {
    return keeps_registers() ? reason + " with no handler: the IDT is empty (limit 0)"
                             : "triple fault at 0xfffffff0: this host's processor does not keep "
                               "the registers of a CPU that shut down, so they tell nothing";
  }

  static bool keeps_registers() { return !std::filesystem::exists("/sys/module/kvm_amd"); }
};

TEST_F(PostmortemKvm, NamesUd2) {
  EXPECT_EQ(reason_of({0x0f, 0x0b}), where_kept("triple fault at 0x100000: #UD (ud2)"));
}

TEST_F(PostmortemKvm, NamesInt3) {
  const std::string reason = reason_of({0x90, 0xcc});
  if (reason.find("could not emulate") != std::string::npos) {
    GTEST_SKIP() << "this host's KVM emulates ring 0, and cannot emulate int3";
  }
  EXPECT_EQ(reason, where_kept("triple fault at 0x100001: #BP (int3)"));
}

TEST_F(PostmortemKvm, NamesADivisionByZero) {
  // xor ecx, ecx; div ecx
  EXPECT_EQ(reason_of({0x31, 0xc9, 0xf7, 0xf1}),
            where_kept("triple fault at 0x100002: #DE (division by zero)"));
}

TEST_F(PostmortemKvm, SuspectsAPageFaultFromCr2) {
  // mov eax, [0x7fff00000000]
  EXPECT_EQ(reason_of({0xa1, 0, 0, 0, 0, 0xff, 0x7f, 0, 0}),
            where_kept("triple fault at 0x100000: probably #PF at 0x7fff00000000 (its PML4 entry "
                       "is not present)"));
}

TEST_F(PostmortemKvm, NamesAJumpToNowhere) {
  // movabs rax, 0x7fff00000000; jmp rax
  EXPECT_EQ(reason_of({0x48, 0xb8, 0, 0, 0, 0, 0xff, 0x7f, 0, 0, 0xff, 0xe0}),
            where_kept("triple fault at 0x7fff00000000: #PF (RIP: its PML4 entry is not present)"));
}

TEST_F(PostmortemKvm, ShowsTheRegistersAndTheBytesAtRip) {
  // mov eax, 0x1234; ud2
  const auto postmortem = crash({0xb8, 0x34, 0x12, 0, 0, 0x0f, 0x0b});
  ASSERT_TRUE(postmortem) << postmortem.error().message;
  const std::string& report = postmortem->report;
  EXPECT_NE(report.find("  shutdown\n"), std::string::npos) << report;
  if (!keeps_registers()) {
    EXPECT_NE(report.find("  rip 000000000000fff0  rflags 00000002"), std::string::npos) << report;
    return;
  }
  EXPECT_EQ(postmortem->location, "0x100005");
  EXPECT_NE(report.find("rax 0000000000001234"), std::string::npos) << report;
  EXPECT_NE(report.find("b8 34 12 00 00 [0f] 0b"), std::string::npos) << report;
  EXPECT_NE(report.find("-> 0x100005 in a 2 MiB page, rwx\n"), std::string::npos) << report;
}

}  // namespace
}  // namespace nestling
