// The doctor's words and JSON, for hosts of every kind.
#include "vmm/doctor_report.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace nestling {
namespace {

using nlohmann::json;
using std::chrono::nanoseconds;
using Need = CapabilityFact::Need;

DoctorReport healthy_report() {
  DoctorReport report;
  report.kernel = "6.1.0";
  report.host.processor = "Example CPU";
  report.host.hardware_virtualization = HardwareVirtualization::kVmx;
  report.host.kvm_modules = {{.name = "kvm_intel", .nested = true, .nested_paging = true}};
  report.host.memory = 16ULL << 30;
  report.host.available_memory = 512ULL << 20;
  report.host.huge_pages = "madvise";
  report.host.shared_huge_pages = "never";
  report.capabilities = {
      {.name = "KVM_CAP_USER_MEMORY", .purpose = "guest RAM", .need = Need::kRequired, .value = 1},
      {.name = "KVM_CAP_PIT2", .purpose = "a timer", .need = Need::kOptional, .value = 0}};
  report.slot_limit = 32764;
  report.trial = TrialRun{
      .vm_ready = nanoseconds(450'000),
      .device_write = {.median = nanoseconds(1'234), .least = nanoseconds(1'000), .count = 1000},
      .halt = ExitCost{.median = nanoseconds(24'000), .least = nanoseconds(20'000), .count = 1000}};
  report.userfaultfd = UserfaultfdPermission::kAllowed;
  return report;
}

TEST(DoctorText, OfAHealthyHostIsOneLineASubject) {
  EXPECT_EQ(to_text(healthy_report(), Colour::kNo),
            R"(  ok    host          Linux 6.1.0 on Example CPU
  ok    device        /dev/kvm opens, KVM API version 12
  ok    kind          kvm_intel uses the hardware, with nested paging
  ok    trial run     a guest was ready after 450.00 µs; a device write takes 1.23 µs there and back, a halt 24.00 µs (medians of 1000)
  ok    memory slots  32764 at most
  ok    memory        16.0 GiB, 512 MiB available
  ok    huge pages    madvise, for shared memory never
  ok    userfaultfd   allowed

What KVM can do here:
  ok    KVM_CAP_USER_MEMORY         guest RAM
  note  KVM_CAP_PIT2                a timer  (absent)

Nestling can run here.
)");
}

TEST(DoctorText, OfAnArmHostTellsOfItsMachines) {
  DoctorReport report = healthy_report();
  report.host.kvm_modules.clear();
  report.host.hardware_virtualization = HardwareVirtualization::kEl2;
  report.machine = {{.subject = "interrupts", .text = "GICv3"}};
  report.trial->halt.reset();
  const std::string text = to_text(report, Colour::kNo);
  EXPECT_NE(text.find("  ok    kind          the kernel's own KVM uses the hardware (EL2)\n"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("a device write takes 1.23 µs there and back (median of 1000)\n"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("  ok    interrupts    GICv3\n"), std::string::npos) << text;
  const json parsed = json::parse(to_json(report));
  EXPECT_EQ(parsed["machine"]["interrupts"], "GICv3");
  EXPECT_TRUE(parsed["trial"]["halt"].is_null());
  EXPECT_EQ(parsed["host"]["hardware_virtualization"], "el2");
}

TEST(DoctorText, PutsTheRemedyBeneathWhatIsWrong) {
  DoctorReport report;
  report.kernel = "6.1.0";
  report.device_problem = KvmDeviceProblem{.kind = KvmDeviceProblem::Kind::kMissing,
                                           .what = "/dev/kvm: No such file or directory",
                                           .remedy = "load the driver: sudo modprobe kvm_amd"};
  report.host.huge_pages = "never";
  report.userfaultfd = UserfaultfdPermission::kDenied;
  EXPECT_FALSE(can_run(report));
  EXPECT_EQ(to_text(report, Colour::kNo),
            R"(  ok    host          Linux 6.1.0 on an unknown processor
  BAD   device        /dev/kvm: No such file or directory
                      -> load the driver: sudo modprobe kvm_amd
  note  memory        the host does not tell
  note  huge pages    turned off: guests run on small pages
                      -> echo madvise | sudo tee /sys/kernel/mm/transparent_hugepage/enabled
  note  userfaultfd   not allowed
                      -> to allow it: sudo sysctl vm.unprivileged_userfaultfd=1

Nestling cannot run here.
)");
}

TEST(DoctorText, IsColouredOnlyWhenAsked) {
  EXPECT_EQ(to_text(healthy_report(), Colour::kNo).find('\x1b'), std::string::npos);
  EXPECT_NE(to_text(healthy_report(), Colour::kYes).find("  \x1b[32mok  \x1b[0m  host"),
            std::string::npos);
}

TEST(DoctorReport, SaysNoWhereARequiredCapabilityIsAbsent) {
  DoctorReport report = healthy_report();
  EXPECT_TRUE(can_run(report));
  report.capabilities[0].value = 0;
  EXPECT_FALSE(can_run(report));
  EXPECT_NE(to_text(report, Colour::kNo)
                .find("  BAD   KVM_CAP_USER_MEMORY         guest RAM  (absent, and Nestling cannot "
                      "do without)\n"),
            std::string::npos);
}

TEST(DoctorReport, SaysNoWhereTheTrialFails) {
  DoctorReport report = healthy_report();
  report.trial.reset();
  report.trial_problem = "KVM_CREATE_VM: Device or resource busy";
  EXPECT_FALSE(can_run(report));
  EXPECT_NE(to_text(report, Colour::kNo)
                .find("  BAD   trial run     KVM_CREATE_VM: Device or resource busy\n"),
            std::string::npos);
}

TEST(DoctorText, TellsOfNestedAndEmulatedKvm) {
  const auto kind = [](const HostFacts& host) {
    DoctorReport report = healthy_report();
    report.host = host;
    const std::string text = to_text(report, Colour::kNo);
    const std::size_t start = text.find("kind          ") + 14;
    return text.substr(start, text.find('\n', start) - start);
  };
  HostFacts host;
  host.is_virtual_machine = true;
  host.kvm_modules = {{.name = "kvm_amd", .nested = {}, .nested_paging = true}};
  EXPECT_EQ(kind(host),
            "nested: this machine is a virtual one, and kvm_amd uses the hardware, with nested "
            "paging");
  host.kvm_modules[0].nested_paging = false;
  EXPECT_EQ(kind(host),
            "nested: this machine is a virtual one, and kvm_amd uses the hardware, but without "
            "nested paging");
  host.kvm_modules = {{.name = "kvm_pvm", .nested = {}, .nested_paging = {}}};
  EXPECT_EQ(kind(host),
            "nested: this machine is a virtual one, and kvm_pvm does without hardware support: a "
            "guest's ring 3 runs natively, its ring 0 is emulated and slow");
  host.kvm_modules.clear();
  host.is_virtual_machine = false;
  EXPECT_EQ(kind(host), "no module of KVM is to be seen");
}

TEST(DoctorText, TellsOfALimitBelowTheHostsMemory) {
  DoctorReport report = healthy_report();
  report.host.memory_limit = 1ULL << 30;
  EXPECT_NE(to_text(report, Colour::kNo)
                .find("16.0 GiB, 512 MiB available, of which the control group allows 1.0 GiB\n"),
            std::string::npos);
  report.host.memory_limit = 1ULL << 40;
  EXPECT_EQ(to_text(report, Colour::kNo).find("control group"), std::string::npos);
}

TEST(DoctorJson, HoldsEverything) {
  const json parsed = json::parse(to_json(healthy_report()));
  EXPECT_EQ(parsed["can_run"], true);
  EXPECT_EQ(parsed["device"], (json{{"path", "/dev/kvm"}, {"usable", true}, {"api_version", 12}}));
  EXPECT_EQ(parsed["host"]["kernel"], "6.1.0");
  EXPECT_EQ(parsed["host"]["hardware_virtualization"], "vmx");
  EXPECT_EQ(parsed["host"]["virtual_machine"], false);
  EXPECT_TRUE(parsed["host"]["container"].is_null());
  EXPECT_EQ(parsed["host"]["kvm_modules"],
            (json::array({{{"name", "kvm_intel"}, {"nested", true}, {"nested_paging", true}}})));
  EXPECT_EQ(parsed["host"]["memory_bytes"], 16ULL << 30);
  EXPECT_TRUE(parsed["host"]["memory_limit_bytes"].is_null());
  EXPECT_EQ(parsed["host"]["userfaultfd"], "allowed");
  EXPECT_EQ(parsed["capabilities"]["KVM_CAP_PIT2"],
            (json{{"value", 0}, {"required", false}, {"purpose", "a timer"}}));
  EXPECT_EQ(parsed["slot_limit"], 32764);
  EXPECT_EQ(parsed["trial"]["vm_ready_ns"], 450'000);
  EXPECT_EQ(parsed["trial"]["device_write"],
            (json{{"median_ns", 1234}, {"least_ns", 1000}, {"count", 1000}}));
  EXPECT_EQ(parsed["trial"]["halt"]["median_ns"], 24'000);
}

TEST(DoctorJson, NamesTheProblem) {
  DoctorReport report = healthy_report();
  report.trial.reset();
  report.device_problem = KvmDeviceProblem{.kind = KvmDeviceProblem::Kind::kNoPermission,
                                           .what = "\xff: Permission denied",
                                           .remedy = "sudo setfacl"};
  const json parsed = json::parse(to_json(report));
  EXPECT_EQ(parsed["can_run"], false);
  EXPECT_EQ(parsed["device"], (json{{"path", "/dev/kvm"},
                                    {"usable", false},
                                    {"api_version", nullptr},
                                    {"problem", "no-permission"},
                                    {"what", "\xef\xbf\xbd: Permission denied"},
                                    {"remedy", "sudo setfacl"}}));
  EXPECT_TRUE(parsed["trial"].is_null());
}

}  // namespace
}  // namespace nestling
