// Proves that each field of the boot information is what abi.h says, and prints it all; status 0.
#include <cstdint>

#include "guest/kit/boot_info.h"
#include "guest/kit/console.h"
#include "guest/kit/expect.h"
#include "guest/kit/kernel.h"
#include "guest/kit/physical.h"

namespace nestling::guest {

// kernel.ld puts these around the image.
extern "C" {
extern std::uint8_t guest_image_begin[];
extern std::uint8_t guest_image_end[];
}

namespace {

std::string_view name_of(MemoryKind kind) {
  switch (kind) {
    case MemoryKind::kUsable:
      return "usable";
    case MemoryKind::kReserved:
      return "reserved";
    case MemoryKind::kBoot:
      return "boot";
    case MemoryKind::kImage:
      return "image";
    case MemoryKind::kRom:
      return "rom";
  }
  return "?";
}

std::string_view name_of(DeviceKind kind) {
  switch (kind) {
    case DeviceKind::kUart16550:
      return "uart";
    case DeviceKind::kDebugConsole:
      return "debug console";
    case DeviceKind::kExit:
      return "exit";
    case DeviceKind::kRtcCmos:
      return "rtc";
    case DeviceKind::kTest:
      return "test";
    case DeviceKind::kPvpanic:
      return "pvpanic";
    case DeviceKind::kUartPl011:
      return "pl011";
    case DeviceKind::kRtcPl031:
      return "pl031";
    case DeviceKind::kGicDistributor:
      return "gic distributor";
    case DeviceKind::kGicCpuInterface:
      return "gic cpu interface";
    case DeviceKind::kGicRedistributors:
      return "gic redistributors";
  }
  return "?";
}

/// True when every byte of [start, start + size) lies in entries of `kind`.
bool is_covered(const BootInfo& info, MemoryKind kind, std::uint64_t start, std::uint64_t size) {
  std::uint64_t at = start;
  for (const MemoryMapEntry& entry : memory_map(info)) {
    if (entry.kind == kind && entry.start <= at && at - entry.start < entry.size) {
      at = entry.start + entry.size;
    }
  }
  return at >= start + size;
}

void check_header(const BootInfo& info) {
  expect(info.version == 2, "version 2, not {}", info.version);
  expect(info.size == sizeof(BootInfo), "size {}, not {}", sizeof(BootInfo), info.size);
  const std::string_view line = command_line(info);
  expect(*(line.data() + line.size()) == '\0', "a NUL behind the command line");
  for (const char character : line) {
    expect(character != '\0', "no NUL inside the command line");
  }
  print("command line: \"{}\"\n", line);
}

void check_memory_map(const BootInfo& info) {
  std::uint64_t above = 0;
  for (const MemoryMapEntry& entry : memory_map(info)) {
    print("memory {} size {} {}\n", hex16(entry.start), hex(entry.size), name_of(entry.kind));
    expect(entry.size != 0, "no empty entry");
    expect(entry.start >= above, "entries ascending and disjoint");
    expect(entry.reserved == 0, "a reserved field of 0");
    expect(name_of(entry.kind) != "?", "a known kind, not {}", static_cast<unsigned>(entry.kind));
    above = entry.start + entry.size;
  }
  const std::uint64_t begin = address_of(guest_image_begin);
  const std::uint64_t end = address_of(guest_image_end);
  expect(is_covered(info, MemoryKind::kImage, begin, end - begin), "the image in image entries");

  const auto boot = [&info](const void* structure, std::uint64_t size) {
    return is_covered(info, MemoryKind::kBoot, address_of(structure), size);
  };
  expect(boot(&info, sizeof(info)), "the boot information in a boot entry");
  expect(boot(memory_map(info).data(), memory_map(info).size_bytes()), "the map in a boot entry");
  expect(boot(command_line(info).data(), command_line(info).size() + 1),
         "the command line in a boot entry");
  expect(boot(devices(info).data(), devices(info).size_bytes()), "the devices in a boot entry");
  expect(boot(cpu_ids(info).data(), cpu_ids(info).size_bytes()), "the CPUs in a boot entry");
}

void check_devices(const BootInfo& info) {
  bool has_exit = false;
  for (const DeviceEntry& device : devices(info)) {
    const std::string_view space = device.space == DeviceSpace::kPort ? "port" : "address";
    print("device {} at {} {} size {}", name_of(device.kind), space, hex(device.address),
          device.size);
    if (device.irq != kNoIrq) {
      print(" irq {}", device.irq);
    }
    print("\n");
    expect(name_of(device.kind) != "?", "a known device, not {}",
           static_cast<unsigned>(device.kind));
    expect(device.size != 0 && device.reserved == 0, "a size, and a reserved field of 0");
    has_exit = has_exit || device.kind == DeviceKind::kExit;
  }
  expect(has_exit, "an exit device");
}

void check_cpus(const BootInfo& info) {
  expect(info.cpu_count != 0, "a CPU");
  for (std::uint64_t cpu = 0; cpu < info.cpu_count; ++cpu) {
    print("cpu {} id {}\n", cpu, hex(cpu_ids(info)[cpu]));
    for (std::uint64_t other = 0; other < cpu; ++other) {
      expect(cpu_ids(info)[other] != cpu_ids(info)[cpu], "an id of its own for each CPU");
    }
  }
}

}  // namespace

int kernel_main(const BootInfo& info) {
  check_header(info);
  check_memory_map(info);
  check_devices(info);
  check_cpus(info);
  print("boot information is in order\n");
  return 0;
}

}  // namespace nestling::guest
