// The KVM device in every state of disrepair, and the remedy for each.
#include "vmm/kvm_device_check.h"

#include <grp.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <filesystem>

#include <fmt/core.h>
#include <gtest/gtest.h>

#include "tests/support/temporary_folder.h"

namespace nestling {
namespace {

using testing::TemporaryFolder;
using Kind = KvmDeviceProblem::Kind;

HostFacts facts_with(HardwareVirtualization hardware) {
  HostFacts facts;
  facts.hardware_virtualization = hardware;
  return facts;
}

TEST(KvmDeviceCheck, NamesTheModuleToLoadWhereTheDeviceIsMissing) {
  const TemporaryFolder root;
  const auto remedy = [&root](const HostFacts& facts) {
    const auto problem = kvm_device_problem(root.file("kvm"), facts, "");
    return problem && problem->kind == Kind::kMissing ? problem->remedy : "not missing";
  };
  EXPECT_EQ(remedy(facts_with(HardwareVirtualization::kVmx)),
            "load the driver: sudo modprobe kvm_intel");
  EXPECT_EQ(remedy(facts_with(HardwareVirtualization::kSvm)),
            "load the driver: sudo modprobe kvm_amd");
  HostFacts facts;
  EXPECT_EQ(remedy(facts),
            "the processor shows no vmx or svm: turn on VT-x or SVM in the firmware setup");
  facts.is_virtual_machine = true;
  EXPECT_EQ(remedy(facts),
            "this is a virtual machine whose processor shows no vmx or svm: turn on nested "
            "virtualization where the machine was started");
}

TEST(KvmDeviceCheck, SaysWhatFailedAndOnWhichFile) {
  const TemporaryFolder root;
  const auto problem = kvm_device_problem(root.file("kvm"), {}, "");
  ASSERT_TRUE(problem);
  EXPECT_EQ(problem->what, root.file("kvm") + ": No such file or directory");
}

TEST(KvmDeviceCheck, TellsToHandTheDeviceToAContainer) {
  const TemporaryFolder root;
  HostFacts facts = facts_with(HardwareVirtualization::kVmx);
  facts.container = "docker";
  const auto problem = kvm_device_problem(root.file("kvm"), facts, "");
  ASSERT_TRUE(problem);
  EXPECT_EQ(problem->remedy,
            fmt::format("this is a docker container: start it with --device {}", root.file("kvm")));
}

TEST(KvmDeviceCheck, TellsToMakeTheFileWhereTheDriverIsLoaded) {
  const TemporaryFolder root;
  HostFacts facts = facts_with(HardwareVirtualization::kVmx);
  facts.kvm_modules = {{.name = "kvm_intel", .nested = {}, .nested_paging = {}}};
  const auto problem = kvm_device_problem(root.file("kvm"), facts, "");
  ASSERT_TRUE(problem);
  EXPECT_EQ(problem->remedy,
            fmt::format("kvm_intel is loaded, only the device file is missing: sudo mknod -m 660 "
                        "{} c 10 232",
                        root.file("kvm")));
}

TEST(KvmDeviceCheck, DoesNotAskForAFileThatNoDeviceWouldBeBehind) {
  const TemporaryFolder root;
  HostFacts facts = facts_with(HardwareVirtualization::kNone);
  facts.kvm_modules = {{.name = "kvm_pvm", .nested = {}, .nested_paging = {}}};
  facts.container = "docker";
  facts.has_kvm_device = false;
  const auto problem = kvm_device_problem(root.file("kvm"), facts, "");
  ASSERT_TRUE(problem);
  EXPECT_EQ(problem->kind, Kind::kMissing);
  EXPECT_TRUE(problem->remedy.starts_with("kvm_pvm is in this kernel, but made no KVM device: "))
      << problem->remedy;
}

TEST(KvmDeviceCheck, RecognisesWhatIsNotKvm) {
  const TemporaryFolder root;
  root.write("kvm", "text");
  for (const std::string& path : {std::string("/dev/null"), root.file("kvm")}) {
    const auto problem = kvm_device_problem(path, {}, "");
    ASSERT_TRUE(problem) << path;
    EXPECT_EQ(problem->kind, Kind::kNotKvm);
    EXPECT_EQ(problem->what, path + " is not a KVM device: Inappropriate ioctl for device");
    EXPECT_EQ(problem->remedy,
              fmt::format("put the right one there: sudo rm {} && sudo mknod -m 660 {} c 10 232",
                          path, path));
  }
}

TEST(KvmDeviceCheck, ReportsAFolderInItsPlace) {
  const TemporaryFolder root;
  const auto problem = kvm_device_problem(root.path().string(), {}, "");
  ASSERT_TRUE(problem);
  EXPECT_EQ(problem->kind, Kind::kOther);
  EXPECT_EQ(problem->what, root.path().string() + ": Is a directory");
}

constexpr std::uint32_t kOtherUser = 12345;

/// Who asks in the tests below: somebody else where we may become somebody else, else we ourselves.
std::uint32_t asking_user() { return geteuid() == 0 ? kOtherUser : geteuid(); }

/// A device file that `asking_user` may not open, and the users and groups of its host.
class ForbiddenDevice {
 public:
  explicit ForbiddenDevice(mode_t mode) {
    root_.write("kvm", "");
    std::filesystem::permissions(root_.path(), std::filesystem::perms(0755));
    if (geteuid() == 0) {
      EXPECT_EQ(chown(path().c_str(), 0, 106), 0);
    }
    EXPECT_EQ(chmod(path().c_str(), mode), 0);
    struct stat status {};
    EXPECT_EQ(stat(path().c_str(), &status), 0);
    root_.write("etc/group", fmt::format("root:x:0:\nkvm:x:{}:\n", status.st_gid));
    root_.write("etc/passwd", fmt::format("alice:x:{}:1::\nroot:x:0:0::\n", asking_user()));
  }

  [[nodiscard]] std::string path() const { return root_.file("kvm"); }

  /// "kind|what|remedy" as the asking user gets them, from a process of its own.
  [[nodiscard]] std::string report(const HostFacts& facts) const {
    std::array<int, 2> ends{};
    EXPECT_EQ(pipe(ends.data()), 0);
    const pid_t child = fork();
    if (child == 0) {
      _exit(write_report(ends[1], facts));
    }
    close(ends[1]);
    std::string text(4096, '\0');
    const ssize_t size = read(ends[0], text.data(), text.size());
    close(ends[0]);
    int status = 0;
    waitpid(child, &status, 0);
    EXPECT_EQ(status, 0);
    text.resize(size < 0 ? 0 : static_cast<std::size_t>(size));
    return text;
  }

 private:
  [[nodiscard]] int write_report(int fd, const HostFacts& facts) const {
    if (geteuid() == 0 &&
        (setgroups(0, nullptr) != 0 || setgid(kOtherUser) != 0 || setuid(kOtherUser) != 0)) {
      return 1;
    }
    const auto problem = kvm_device_problem(path(), facts, root_.path().string());
    const std::string text =
        problem ? fmt::format("{}|{}|{}", problem->kind == Kind::kNoPermission ? "permission" : "?",
                              problem->what, problem->remedy)
                : "no problem";
    return write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()) ? 0 : 1;
  }

  TemporaryFolder root_;
};

std::string owner() { return geteuid() == 0 ? "root" : "alice"; }

TEST(KvmDeviceCheck, TellsWhichGroupToJoin) {
  const ForbiddenDevice device(0060);
  EXPECT_EQ(device.report({}),
            fmt::format("permission|{0}: Permission denied (it is ----rw---- {1} kvm, you are "
                        "alice)|for good: sudo usermod -aG kvm alice, then log in again; until the "
                        "next boot: sudo setfacl -m u:alice:rw {0}",
                        device.path(), owner()));
}

TEST(KvmDeviceCheck, TellsToGrantAccessWhereNoGroupHasIt) {
  const ForbiddenDevice device(0000);
  EXPECT_EQ(device.report({}),
            fmt::format("permission|{0}: Permission denied (it is ---------- {1} kvm, you are "
                        "alice)|sudo setfacl -m u:alice:rw {0}",
                        device.path(), owner()));
}

TEST(KvmDeviceCheck, TellsHowToStartAContainerThatMayUseTheDevice) {
  const ForbiddenDevice device(0060);
  HostFacts facts;
  facts.container = "podman";
  EXPECT_EQ(device.report(facts),
            fmt::format("permission|{0}: Permission denied (it is ----rw---- {1} kvm, you are "
                        "alice)|this is a podman container: start it with --device {0} and a user "
                        "who may use the device",
                        device.path(), owner()));
}

TEST(KvmDeviceCheck, RecognisesADeviceFileWithoutADriver) {
  const TemporaryFolder root;
  // No driver has a major number as large as this.
  if (mknod(root.file("kvm").c_str(), S_IFCHR | 0600, makedev(4000, 1)) != 0) {
    GTEST_SKIP() << "making a device file needs root";
  }
  const auto problem =
      kvm_device_problem(root.file("kvm"), facts_with(HardwareVirtualization::kSvm), "");
  ASSERT_TRUE(problem);
  if (problem->kind == Kind::kNoPermission) {
    GTEST_SKIP() << "this file system holds no device files (mounted nodev)";
  }
  EXPECT_EQ(problem->kind, Kind::kNoDriver);
  EXPECT_EQ(problem->remedy, "load the driver: sudo modprobe kvm_amd");
}

}  // namespace
}  // namespace nestling
