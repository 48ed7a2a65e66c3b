// CPUID tables: identity, topology, and no promise of an APIC that is not there.
#include "vmm/x86_64/cpuid.h"

#include <asm/kvm_para.h>

#include <algorithm>

#include <gtest/gtest.h>

namespace nestling::x86_64 {
namespace {

kvm_cpuid_entry2 entry(std::uint32_t function, std::uint32_t index = 0) {
  kvm_cpuid_entry2 made{};
  made.function = function;
  made.index = index;
  return made;
}

/// A host that offers everything we touch, with every bit set that must go.
CpuidTable host_table() {
  CpuidTable table;
  for (const std::uint32_t function :
       {0x0U, 0x1U, 0x4U, 0xbU, 0x1fU, 0x4000'0001U, 0x8000'0008U, 0x8000'001eU}) {
    kvm_cpuid_entry2 made = entry(function);
    made.eax = made.ebx = made.ecx = made.edx = 0xffff'ffff;
    table.push_back(made);
  }
  return table;
}

const kvm_cpuid_entry2& leaf(const CpuidTable& table, std::uint32_t function,
                             std::uint32_t index = 0) {
  const auto found = std::find_if(table.begin(), table.end(), [&](const kvm_cpuid_entry2& each) {
    return each.function == function && each.index == index;
  });
  EXPECT_NE(found, table.end()) << "no leaf " << function;
  return *found;
}

TEST(Cpuid, NumbersEachVcpu) {
  const auto table = cpuid_for(host_table(), {.vcpu_id = 2, .vcpu_count = 4}, LocalApic::kInKernel);
  EXPECT_EQ(leaf(table, 0x1).ebx >> 24, 2U);
  EXPECT_EQ((leaf(table, 0x1).ebx >> 16) & 0xff, 4U);
  EXPECT_EQ(leaf(table, 0x8000'001e).eax, 2U);
  for (std::uint32_t index = 0; index < 3; ++index) {
    EXPECT_EQ(leaf(table, 0xb, index).edx, 2U);
    EXPECT_EQ(leaf(table, 0x1f, index).edx, 2U);
  }
}

TEST(Cpuid, DescribesOnePackageOfSingleThreadedCores) {
  const auto table = cpuid_for(host_table(), {.vcpu_id = 0, .vcpu_count = 3}, LocalApic::kInKernel);
  EXPECT_EQ(leaf(table, 0xb, 0).eax, 0U);
  EXPECT_EQ(leaf(table, 0xb, 0).ebx, 1U);
  EXPECT_EQ(leaf(table, 0xb, 0).ecx, 0x100U);
  EXPECT_EQ(leaf(table, 0xb, 1).eax, 2U) << "two bits tell three cores apart";
  EXPECT_EQ(leaf(table, 0xb, 1).ebx, 3U);
  EXPECT_EQ(leaf(table, 0xb, 1).ecx, 0x201U);
  EXPECT_EQ(leaf(table, 0xb, 2).ecx, 2U);
  EXPECT_EQ(leaf(table, 0x8000'0008).ecx & 0xff, 2U);
  EXPECT_EQ((leaf(table, 0x8000'0008).ecx >> 12) & 0xf, 2U);
  EXPECT_EQ(leaf(table, 0x4).eax >> 26, 3U);
}

TEST(Cpuid, ShowsASingleVcpuAsSingle) {
  const auto table = cpuid_for(host_table(), {.vcpu_id = 0, .vcpu_count = 1}, LocalApic::kAbsent);
  EXPECT_EQ(leaf(table, 0x1).edx & (1U << 28), 0U);
  EXPECT_EQ(leaf(table, 0xb, 1).eax, 0U);
  EXPECT_EQ(leaf(table, 0x8000'0008).ecx & 0xff, 0U);
}

TEST(Cpuid, PromisesNoApicWithoutInterruptControllers) {
  const auto table = cpuid_for(host_table(), {.vcpu_id = 0, .vcpu_count = 1}, LocalApic::kAbsent);
  EXPECT_EQ(leaf(table, 0x1).edx & (1U << 9), 0U);
  EXPECT_EQ(leaf(table, 0x1).ecx & ((1U << 21) | (1U << 24)), 0U);
  EXPECT_EQ(leaf(table, KVM_CPUID_FEATURES).eax & (1U << KVM_FEATURE_PV_EOI), 0U);
}

TEST(Cpuid, SaysThatThereIsAHypervisor) {
  CpuidTable host = {entry(0x1)};
  const auto table = cpuid_for(host, {.vcpu_id = 0, .vcpu_count = 1}, LocalApic::kAbsent);
  EXPECT_NE(leaf(table, 0x1).ecx & (1U << 31), 0U);
}

TEST(Cpuid, OffersTheDeadlineTimerWhereKvmHasIt) {
  CpuidTable host = {entry(0x1)};
  const CpuPosition single{.vcpu_id = 0, .vcpu_count = 1};
  EXPECT_EQ(leaf(cpuid_for(host, single, LocalApic::kInKernel), 0x1).ecx & (1U << 24), 0U);
  EXPECT_NE(
      leaf(cpuid_for(host, single, LocalApic::kInKernelWithDeadlineTimer), 0x1).ecx & (1U << 24),
      0U);
}

}  // namespace
}  // namespace nestling::x86_64
