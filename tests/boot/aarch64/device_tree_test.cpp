// The device tree: what Linux's bindings ask for stands in it, and the tree's own tools find no
// fault with it.
#include "boot/aarch64/device_tree.h"

#include <libfdt.h>

#include <fstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "boot/aarch64/ram_layout.h"
#include "guest/abi.h"
#include "tests/support/program.h"
#include "tests/support/temporary_folder.h"

namespace nestling::aarch64 {
namespace {

using nestling::testing::ProgramCall;
using nestling::testing::ProgramEnd;
using nestling::testing::run_program;
using nestling::testing::TemporaryFolder;

using Bytes = std::vector<std::byte>;

constexpr DeviceEntry in_memory(DeviceKind kind, std::uint64_t address, std::uint64_t size,
                                std::uint32_t irq = kNoIrq) {
  return {kind, DeviceSpace::kMmio, address, size, irq, 0};
}
const DeviceEntry kDistributor =
    in_memory(DeviceKind::kGicDistributor, guest::kMmioGicDistributor, 0x1'0000);
const DeviceEntry kRedistributors =
    in_memory(DeviceKind::kGicRedistributors, guest::kMmioGicRedistributors, 0x4'0000);
const DeviceEntry kCpuInterface =
    in_memory(DeviceKind::kGicCpuInterface, guest::kMmioGicCpuInterface, 0x2000);
const DeviceEntry kPl011 =
    in_memory(DeviceKind::kUartPl011, guest::kMmioPl011, 0x1000, guest::kIntidPl011);
const DeviceEntry kPl031 =
    in_memory(DeviceKind::kRtcPl031, guest::kMmioPl031, 0x1000, guest::kIntidPl031);
const DeviceEntry kUart16550 =
    in_memory(DeviceKind::kUart16550, guest::kMmioUart16550, 8, guest::kIntidUart16550);
const DeviceEntry kPvpanic = in_memory(DeviceKind::kPvpanic, guest::kMmioPvpanic, 1);
const DeviceEntry kExit = in_memory(DeviceKind::kExit, guest::kMmioExit, 4);

/// A tree that can be asked.
class Tree {
 public:
  explicit Tree(const Hardware& hardware) : blob_(make_device_tree(hardware)) {
    EXPECT_EQ(fdt_check_full(blob_.data(), blob_.size()), 0);
  }

  [[nodiscard]] const Bytes& blob() const { return blob_; }
  [[nodiscard]] bool has(const std::string& path) const {
    return fdt_path_offset(blob_.data(), path.c_str()) >= 0;
  }
  /// A property's bytes; fails the test when there is none.
  [[nodiscard]] std::string bytes(const std::string& path, const std::string& name) const {
    const int node = fdt_path_offset(blob_.data(), path.c_str());
    int size = 0;
    const void* value = node < 0 ? nullptr : fdt_getprop(blob_.data(), node, name.c_str(), &size);
    if (value == nullptr) {
      ADD_FAILURE() << "no " << name << " in " << path;
      return {};
    }
    return {static_cast<const char*>(value), static_cast<std::size_t>(size)};
  }
  [[nodiscard]] bool has_property(const std::string& path, const std::string& name) const {
    const int node = fdt_path_offset(blob_.data(), path.c_str());
    return node >= 0 && fdt_getprop(blob_.data(), node, name.c_str(), nullptr) != nullptr;
  }
  /// One string.
  [[nodiscard]] std::string text(const std::string& path, const std::string& name) const {
    std::string value = bytes(path, name);
    EXPECT_FALSE(value.empty());
    return value.empty() ? value : value.substr(0, value.size() - 1);
  }
  [[nodiscard]] std::vector<std::uint32_t> cells(const std::string& path,
                                                 const std::string& name) const {
    const std::string value = bytes(path, name);
    std::vector<std::uint32_t> cells;
    for (std::size_t at = 0; at + 4 <= value.size(); at += 4) {
      cells.push_back(fdt32_ld(reinterpret_cast<const fdt32_t*>(value.data() + at)));
    }
    return cells;
  }

 private:
  Bytes blob_;
};

class DeviceTree : public ::testing::Test {
 protected:
  [[nodiscard]] Hardware hardware() const {
    return {.ram = ram_,
            .cpu_count = 2,
            .devices = devices_,
            .command_line = "console=ttyAMA0 quiet",
            .initrd = {},
            .rng_seed = {}};
  }

  std::vector<GuestPhysRange> ram_ = ram_ranges(4ULL << 30).value();
  std::vector<DeviceEntry> devices_ = {kDistributor, kRedistributors, kPl011, kPl031,
                                       kUart16550,   kPvpanic,        kExit};
};

using Cells = std::vector<std::uint32_t>;

TEST_F(DeviceTree, ListsEachRangeOfRam) {
  const Tree tree(hardware());
  EXPECT_EQ(tree.text("/memory@40000000", "device_type"), "memory");
  EXPECT_EQ(tree.cells("/memory@40000000", "reg"), (Cells{0, 0x4000'0000, 0, 0x8000'0000}));
  EXPECT_EQ(tree.cells("/memory@100000000", "reg"), (Cells{1, 0, 0, 0x8000'0000}));
}

TEST_F(DeviceTree, StartsEachCpuThroughPsci) {
  Hardware many = hardware();
  many.cpu_count = 18;
  const Tree tree(many);
  EXPECT_EQ(tree.cells("/cpus/cpu@0", "reg"), Cells{0});
  EXPECT_EQ(tree.cells("/cpus/cpu@f", "reg"), Cells{0xf});
  EXPECT_EQ(tree.cells("/cpus/cpu@101", "reg"), Cells{0x101}) << "the 18th: cluster 1, CPU 1";
  EXPECT_FALSE(tree.has("/cpus/cpu@102"));
  EXPECT_EQ(tree.text("/cpus/cpu@101", "enable-method"), "psci");
  EXPECT_EQ(tree.text("/cpus/cpu@0", "device_type"), "cpu");
  EXPECT_EQ(tree.text("/psci", "method"), "hvc");
  EXPECT_EQ(tree.bytes("/psci", "compatible"), std::string("arm,psci-1.0\0arm,psci-0.2\0", 26));
}

TEST_F(DeviceTree, DescribesAGicV3) {
  const Tree tree(hardware());
  const std::string gic = "/interrupt-controller@8000000";
  EXPECT_EQ(tree.text(gic, "compatible"), "arm,gic-v3");
  EXPECT_EQ(tree.cells(gic, "reg"),
            (Cells{0, 0x800'0000, 0, 0x1'0000, 0, 0x80a'0000, 0, 0x4'0000}));
  EXPECT_EQ(tree.cells(gic, "#interrupt-cells"), Cells{3});
  EXPECT_TRUE(tree.has_property(gic, "interrupt-controller"));
  EXPECT_EQ(tree.cells(gic, "phandle"), tree.cells("/", "interrupt-parent"));
  EXPECT_EQ(tree.cells("/timer", "interrupts"), (Cells{1, 13, 4, 1, 14, 4, 1, 11, 4, 1, 10, 4}))
      << "secure, non-secure, virtual, hypervisor";
}

TEST_F(DeviceTree, DescribesAGicV2) {
  devices_[1] = kCpuInterface;
  const Tree tree(hardware());
  const std::string gic = "/interrupt-controller@8000000";
  EXPECT_EQ(tree.text(gic, "compatible"), "arm,cortex-a15-gic");
  EXPECT_EQ(tree.cells(gic, "reg"), (Cells{0, 0x800'0000, 0, 0x1'0000, 0, 0x801'0000, 0, 0x2000}));
  EXPECT_EQ(tree.cells("/timer", "interrupts")[2], 0x304U) << "level, to both CPUs";
}

TEST_F(DeviceTree, LeavesOutInterruptsWithoutAController) {
  devices_ = {kPl011, kExit};
  const Tree tree(hardware());
  EXPECT_FALSE(tree.has("/timer"));
  EXPECT_FALSE(tree.has_property("/", "interrupt-parent"));
  EXPECT_FALSE(tree.has_property("/serial@9000000", "interrupts"));
  EXPECT_TRUE(tree.has_property("/serial@9000000", "reg"));
}

TEST_F(DeviceTree, DescribesTheDevicesAsTheirBindingsAsk) {
  const Tree tree(hardware());
  EXPECT_EQ(tree.bytes("/serial@9000000", "compatible"),
            std::string("arm,pl011\0arm,primecell\0", 24));
  EXPECT_EQ(tree.cells("/serial@9000000", "interrupts"), (Cells{0, 1, 4}));
  EXPECT_EQ(tree.bytes("/serial@9000000", "clock-names"), std::string("uartclk\0apb_pclk\0", 17));
  const Cells clock = tree.cells("/clock", "phandle");
  EXPECT_EQ(tree.cells("/serial@9000000", "clocks"), (Cells{clock[0], clock[0]}));
  EXPECT_EQ(tree.bytes("/rtc@9010000", "compatible"),
            std::string("arm,pl031\0arm,primecell\0", 24));
  EXPECT_EQ(tree.cells("/rtc@9010000", "interrupts"), (Cells{0, 2, 4}));
  EXPECT_EQ(tree.text("/serial@9020000", "compatible"), "ns16550a");
  EXPECT_EQ(tree.cells("/serial@9020000", "clock-frequency"), Cells{1'843'200});
  EXPECT_EQ(tree.text("/pvpanic@9030000", "compatible"), "qemu,pvpanic-mmio");
  EXPECT_EQ(tree.text("/exit@d0000000", "compatible"), "nestling,exit");
  EXPECT_EQ(tree.cells("/exit@d0000000", "reg"), (Cells{0, 0xd000'0000, 0, 4}));
}

TEST_F(DeviceTree, NamesTheConsoleAndTheCommandLine) {
  const Tree tree(hardware());
  EXPECT_EQ(tree.text("/chosen", "bootargs"), "console=ttyAMA0 quiet");
  EXPECT_EQ(tree.text("/chosen", "stdout-path"), "/serial@9000000");
  devices_ = {kUart16550};
  EXPECT_EQ(Tree(hardware()).text("/chosen", "stdout-path"), "/serial@9020000");
}

TEST_F(DeviceTree, NamesInitrdAndSeedOnlyWhenThereAreAny) {
  const Tree without(hardware());
  EXPECT_FALSE(without.has_property("/chosen", "linux,initrd-start"));
  EXPECT_FALSE(without.has_property("/chosen", "rng-seed"));
  const Bytes seed(32, std::byte{0x5a});
  Hardware all = hardware();
  all.initrd = GuestPhysRange::of(GuestPhysAddr(0x1'2345'6000), 0x1801);
  all.rng_seed = seed;
  const Tree with(all);
  EXPECT_EQ(with.cells("/chosen", "linux,initrd-start"), (Cells{1, 0x2345'6000}));
  EXPECT_EQ(with.cells("/chosen", "linux,initrd-end"), (Cells{1, 0x2345'7801}));
  EXPECT_EQ(with.bytes("/chosen", "rng-seed"), std::string(32, '\x5a'));
}

TEST_F(DeviceTree, HasRoomForTheLongestCommandLineAndManyCpus) {
  const std::string line(0xffff, 'x');
  Hardware large = hardware();
  large.command_line = line;
  large.cpu_count = 512;
  const Tree tree(large);
  EXPECT_EQ(tree.text("/chosen", "bootargs"), line);
  EXPECT_TRUE(tree.has("/cpus/cpu@10f0f") || tree.has("/cpus/cpu@1f0f")) << "the last CPU";
}

/// The tree's own tools, which see more than a reader of single properties.
class DeviceTreeTools : public DeviceTree {
 protected:
  /// What `program` says of the blob in `options` and a file; skips the test where it is missing.
  ProgramEnd ask(const std::string& program, std::vector<std::string> options) {
    const std::string path = "/usr/bin/" + program;
    if (!std::ifstream(path)) {
      skip_reason_ = path + " is missing: install device-tree-compiler";
      return {};
    }
    const Bytes blob = make_device_tree(hardware());
    const std::string file = folder_.file("machine.dtb");
    std::ofstream(file, std::ios::binary)
        .write(reinterpret_cast<const char*>(blob.data()), static_cast<long>(blob.size()));
    options.push_back(file);
    ProgramCall call;
    call.path = path;
    call.arguments = std::move(options);
    auto end = run_program(call);
    EXPECT_TRUE(end) << end.error().message;
    return end ? *std::move(end) : ProgramEnd{};
  }

  std::string skip_reason_;

 private:
  const TemporaryFolder folder_;
};

TEST_F(DeviceTreeTools, FindNothingToWarnOf) {
  for (const DeviceEntry& second : {kRedistributors, kCpuInterface}) {
    devices_[1] = second;
    const ProgramEnd end = ask("dtc", {"-I", "dtb", "-O", "dts"});
    if (!skip_reason_.empty()) {
      GTEST_SKIP() << skip_reason_;
    }
    EXPECT_EQ(end.exit_code, 0);
    EXPECT_EQ(end.errors, "");
    EXPECT_NE(end.output.find("compatible = \"arm,pl011"), std::string::npos) << end.output;
  }
}

TEST_F(DeviceTreeTools, DumpTheBlob) {
  const ProgramEnd end = ask("fdtdump", {});
  if (!skip_reason_.empty()) {
    GTEST_SKIP() << skip_reason_;
  }
  EXPECT_EQ(end.exit_code, 0) << end.errors;
  for (const std::string part :
       {"// magic:\t\t0xd00dfeed", "timer {", "serial@9000000 {", "bootargs = \"console=ttyAMA0"}) {
    EXPECT_NE(end.output.find(part), std::string::npos) << part << " is not in:\n" << end.output;
  }
}

}  // namespace
}  // namespace nestling::aarch64
