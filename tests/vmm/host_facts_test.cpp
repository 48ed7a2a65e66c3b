// Facts about a host, read from made-up trees of /proc and /sys.
#include "vmm/host_facts.h"

#include <gtest/gtest.h>

#include "tests/support/temporary_folder.h"

namespace nestling {
namespace {

using testing::TemporaryFolder;

HostFacts facts_in(const TemporaryFolder& root) { return read_host_facts(root.path().string()); }

TEST(HostFacts, OfAnEmptyTreeAreAbsent) {
  const TemporaryFolder root;
  const HostFacts facts = facts_in(root);
  EXPECT_EQ(facts.processor, "");
  EXPECT_EQ(facts.hardware_virtualization, HardwareVirtualization::kNone);
  EXPECT_FALSE(facts.is_virtual_machine);
  EXPECT_TRUE(facts.kvm_modules.empty());
  EXPECT_EQ(facts.container, "");
  EXPECT_FALSE(facts.memory);
  EXPECT_FALSE(facts.available_memory);
  EXPECT_FALSE(facts.memory_limit);
  EXPECT_EQ(facts.huge_pages, "");
}

TEST(HostFacts, TellTheProcessorAndItsVirtualization) {
  const TemporaryFolder root;
  root.write("proc/cpuinfo",
             "processor\t: 0\nmodel name\t: Example CPU @ 2.0 GHz: fast\n"
             "flags\t\t: fpu vmx hypervisor\n\nprocessor\t: 1\nmodel name\t: Other\n");
  const HostFacts facts = facts_in(root);
  EXPECT_EQ(facts.processor, "Example CPU @ 2.0 GHz: fast");
  EXPECT_EQ(facts.hardware_virtualization, HardwareVirtualization::kVmx);
  EXPECT_TRUE(facts.is_virtual_machine);
}

TEST(HostFacts, NameAnArmProcessorByItsNumbers) {
  const TemporaryFolder root;
  root.write("proc/cpuinfo",
             "processor\t: 0\nBogoMIPS\t: 125.00\nCPU implementer\t: 0x41\nCPU architecture: 8\n"
             "CPU variant\t: 0x4\nCPU part\t: 0xd0c\nCPU revision\t: 1\n");
  EXPECT_EQ(facts_in(root).processor, "Neoverse N1");
  EXPECT_EQ(facts_in(root).hardware_virtualization, HardwareVirtualization::kEl2);
  root.write("proc/cpuinfo", "CPU implementer\t: 0x99\nCPU part\t: 0x123\n");
  EXPECT_EQ(facts_in(root).processor, "an arm64 processor, implementer 0x99, part 0x123");
}

TEST(HostFacts, DoNotTakeAPartOfAFlagForTheFlag) {
  const TemporaryFolder root;
  root.write("proc/cpuinfo", "flags : fpu vmxfoo hypervisor2 svm_lock\nvmx flags : ept\n");
  const HostFacts facts = facts_in(root);
  EXPECT_EQ(facts.hardware_virtualization, HardwareVirtualization::kNone);
  EXPECT_FALSE(facts.is_virtual_machine);
}

TEST(HostFacts, ListModulesWithTheirSwitches) {
  const TemporaryFolder root;
  root.write("sys/module/kvm/parameters/ignore_msrs", "N\n");
  root.write("sys/module/kvm_amd/parameters/nested", "1\n");
  root.write("sys/module/kvm_amd/parameters/npt", "N\n");
  root.write("sys/module/kvm_pvm/refcnt", "0\n");
  const HostFacts facts = facts_in(root);
  ASSERT_EQ(facts.kvm_modules.size(), 2U);
  EXPECT_EQ(facts.kvm_modules[0].name, "kvm_amd");
  EXPECT_EQ(facts.kvm_modules[0].nested, true);
  EXPECT_EQ(facts.kvm_modules[0].nested_paging, false);
  EXPECT_EQ(facts.kvm_modules[1].name, "kvm_pvm");
  EXPECT_FALSE(facts.kvm_modules[1].nested);
  EXPECT_FALSE(facts.kvm_modules[1].nested_paging);
}

TEST(HostFacts, TellWhetherTheKernelHasAKvmDevice) {
  const TemporaryFolder root;
  EXPECT_FALSE(facts_in(root).has_kvm_device);
  root.write("proc/misc", "258 vsock\n257 userfaultfd\n");
  EXPECT_EQ(facts_in(root).has_kvm_device, false);
  root.write("proc/misc", "258 vsock\n232 kvm\n");
  EXPECT_EQ(facts_in(root).has_kvm_device, true);
}

TEST(HostFacts, TellMemoryInBytesAndALimitWhereThereIsOne) {
  const TemporaryFolder root;
  root.write("proc/meminfo",
             "MemTotal:        8000 kB\nMemFree:  10 kB\nMemAvailable:    6000 kB\n");
  root.write("sys/fs/cgroup/memory.max", "max\n");
  EXPECT_EQ(facts_in(root).memory, 8000U * 1024);
  EXPECT_EQ(facts_in(root).available_memory, 6000U * 1024);
  EXPECT_FALSE(facts_in(root).memory_limit);
  root.write("sys/fs/cgroup/memory.max", "1048576\n");
  EXPECT_EQ(facts_in(root).memory_limit, 1048576U);
}

TEST(HostFacts, TellTheChoiceOfHugePages) {
  const TemporaryFolder root;
  root.write("sys/kernel/mm/transparent_hugepage/enabled", "always [madvise] never\n");
  root.write("sys/kernel/mm/transparent_hugepage/shmem_enabled",
             "always within_size advise [never] deny force\n");
  EXPECT_EQ(facts_in(root).huge_pages, "madvise");
  EXPECT_EQ(facts_in(root).shared_huge_pages, "never");
  root.write("sys/kernel/mm/transparent_hugepage/enabled", "]nonsense[");
  EXPECT_EQ(facts_in(root).huge_pages, "");
}

TEST(HostFacts, RecogniseContainers) {
  const TemporaryFolder docker;
  docker.write(".dockerenv", "");
  EXPECT_EQ(facts_in(docker).container, "docker");
  const TemporaryFolder podman;
  podman.write("run/.containerenv", "");
  EXPECT_EQ(facts_in(podman).container, "podman");
  const TemporaryFolder other;
  other.write("run/systemd/container", "lxc\n");
  EXPECT_EQ(facts_in(other).container, "lxc");
}

TEST(HostFacts, OfThisHostHaveMemory) {
  const HostFacts facts = read_host_facts("");
  ASSERT_TRUE(facts.memory);
  EXPECT_GT(*facts.memory, 1U << 20);
}

TEST(NameOfId, FindsTheNameAndNothingInBrokenLines) {
  const TemporaryFolder root;
  root.write("group", "broken\nroot:x:0:\n:x:5:\nkvm:x:106:alice,bob\nlast:x:9999999999999999999");
  EXPECT_EQ(name_of_id(root.file("group"), 0), "root");
  EXPECT_EQ(name_of_id(root.file("group"), 106), "kvm");
  EXPECT_FALSE(name_of_id(root.file("group"), 107));
  EXPECT_FALSE(name_of_id(root.file("missing"), 0));
}

}  // namespace
}  // namespace nestling
