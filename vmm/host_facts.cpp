// Parsing of /proc and /sys.
#include "vmm/host_facts.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string_view>
#include <system_error>

namespace nestling {

namespace {

/// Facts are short; a file that is not is cut.
constexpr std::size_t kLargestFile = std::size_t{64} << 10;

std::string contents(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string text(kLargestFile, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(std::max<std::streamsize>(file.gcount(), 0)));
  return text;
}

bool exists(const std::string& path) {
  std::error_code ignored;
  return std::filesystem::exists(path, ignored);
}

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kBlank = " \t\r\n";
  const std::size_t first = text.find_first_not_of(kBlank);
  if (first == std::string_view::npos) {
    return {};
  }
  return text.substr(first, text.find_last_not_of(kBlank) - first + 1);
}

std::optional<std::uint64_t> number(std::string_view text) {
  text = trimmed(text);
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() ? std::optional(value) : std::nullopt;
}

/// A file of lines like "key : value".
struct FieldFile {
  std::string text;

  /// The value in the first line with `key`; empty where there is none.
  [[nodiscard]] std::string_view field(std::string_view key) const {
    std::string_view rest = text;
    while (!rest.empty()) {
      const std::size_t length = std::min(rest.find('\n'), rest.size());
      const std::string_view line = rest.substr(0, length);
      rest.remove_prefix(std::min(length + 1, rest.size()));
      const std::size_t colon = line.find(':');
      if (colon != std::string_view::npos && trimmed(line.substr(0, colon)) == key) {
        return trimmed(line.substr(colon + 1));
      }
    }
    return {};
  }
};

/// What the files of arm64 kernels call a processor: numbers. These are the ones to be met in
/// servers, laptops and QEMU (Arm ARM, "MIDR_EL1"; each core's reference manual).
std::string arm_processor(const FieldFile& cpuinfo) {
  struct Core {
    std::string_view implementer;
    std::string_view part;
    std::string_view name;
  };
  constexpr std::array<Core, 18> kCores = {{{"0x41", "0xd03", "Cortex-A53"},
                                            {"0x41", "0xd05", "Cortex-A55"},
                                            {"0x41", "0xd07", "Cortex-A57"},
                                            {"0x41", "0xd08", "Cortex-A72"},
                                            {"0x41", "0xd0b", "Cortex-A76"},
                                            {"0x41", "0xd0c", "Neoverse N1"},
                                            {"0x41", "0xd40", "Neoverse V1"},
                                            {"0x41", "0xd46", "Cortex-A510"},
                                            {"0x41", "0xd47", "Cortex-A710"},
                                            {"0x41", "0xd49", "Neoverse N2"},
                                            {"0x41", "0xd4f", "Neoverse V2"},
                                            {"0x41", "0xd83", "Neoverse V3AE"},
                                            {"0x41", "0xd84", "Neoverse V3"},
                                            {"0x41", "0xd8e", "Neoverse N3"},
                                            {"0x61", "0x022", "Apple M1"},
                                            {"0x61", "0x023", "Apple M1"},
                                            {"0x61", "0x032", "Apple M2"},
                                            {"0xc0", "0xac3", "Ampere One"}}};
  const std::string_view implementer = cpuinfo.field("CPU implementer");
  const std::string_view part = cpuinfo.field("CPU part");
  if (implementer.empty()) {
    return {};
  }
  const auto* const core = std::find_if(kCores.begin(), kCores.end(), [&](const Core& each) {
    return each.implementer == implementer && each.part == part;
  });
  if (core != kCores.end()) {
    return std::string(core->name);
  }
  return "an arm64 processor, implementer " + std::string(implementer) + ", part " +
         std::string(part);
}

bool has_word(std::string_view words, std::string_view word) {
  std::istringstream stream{std::string(words)};
  std::string each;
  while (stream >> each) {
    if (each == word) {
      return true;
    }
  }
  return false;
}

std::optional<std::uint64_t> kibibytes(const FieldFile& meminfo, std::string_view key) {
  const std::optional<std::uint64_t> value = number(meminfo.field(key));
  return value ? std::optional(*value * 1024) : std::nullopt;
}

/// The word in brackets of "always [madvise] never".
std::string chosen(std::string_view words) {
  const std::size_t open = words.find('[');
  const std::size_t close = words.find(']');
  if (open == std::string_view::npos || close == std::string_view::npos || close < open) {
    return {};
  }
  return std::string(words.substr(open + 1, close - open - 1));
}

std::optional<bool> module_switch(const std::string& path) {
  const std::string text = contents(path);
  const std::string_view value = trimmed(text);
  if (value.empty()) {
    return std::nullopt;
  }
  return value == "Y" || value == "1";
}

std::vector<KvmModule> kvm_modules(const std::string& root) {
  constexpr std::array<std::string_view, 3> kNames = {"kvm_intel", "kvm_amd", "kvm_pvm"};
  std::vector<KvmModule> modules;
  for (const std::string_view name : kNames) {
    const std::string folder = root + "/sys/module/" + std::string(name);
    if (!exists(folder)) {
      continue;
    }
    std::optional<bool> paging = module_switch(folder + "/parameters/ept");
    if (!paging) {
      paging = module_switch(folder + "/parameters/npt");
    }
    modules.push_back({.name = std::string(name),
                       .nested = module_switch(folder + "/parameters/nested"),
                       .nested_paging = paging});
  }
  return modules;
}

/// A module that is part of the kernel makes no device where it finds nothing to use.
std::optional<bool> has_kvm_device(const std::string& root) {
  const std::string devices = contents(root + "/proc/misc");
  if (devices.empty()) {
    return std::nullopt;
  }
  return has_word(devices, "kvm");
}

std::string container_name(const std::string& root) {
  if (exists(root + "/run/.containerenv")) {
    return "podman";
  }
  if (exists(root + "/.dockerenv")) {
    return "docker";
  }
  // systemd-nspawn, LXC and others announce themselves here.
  const std::string announced = contents(root + "/run/systemd/container");
  return std::string(trimmed(announced));
}

}  // namespace

HostFacts read_host_facts(const std::string& root) {
  HostFacts facts;
  const FieldFile cpuinfo{contents(root + "/proc/cpuinfo")};
  facts.processor = cpuinfo.field("model name");
  const std::string_view flags = cpuinfo.field("flags");
  if (has_word(flags, "vmx")) {
    facts.hardware_virtualization = HardwareVirtualization::kVmx;
  } else if (has_word(flags, "svm")) {
    facts.hardware_virtualization = HardwareVirtualization::kSvm;
  }
  if (facts.processor.empty()) {
    facts.processor = arm_processor(cpuinfo);
    if (!facts.processor.empty()) {
      facts.hardware_virtualization = HardwareVirtualization::kEl2;
    }
  }
  facts.is_virtual_machine = has_word(flags, "hypervisor");
  facts.kvm_modules = kvm_modules(root);
  facts.has_kvm_device = has_kvm_device(root);
  facts.container = container_name(root);
  const FieldFile meminfo{contents(root + "/proc/meminfo")};
  facts.memory = kibibytes(meminfo, "MemTotal");
  facts.available_memory = kibibytes(meminfo, "MemAvailable");
  facts.memory_limit = number(contents(root + "/sys/fs/cgroup/memory.max"));
  const std::string huge_pages = root + "/sys/kernel/mm/transparent_hugepage/";
  facts.huge_pages = chosen(contents(huge_pages + "enabled"));
  facts.shared_huge_pages = chosen(contents(huge_pages + "shmem_enabled"));
  return facts;
}

std::optional<std::string> name_of_id(const std::string& path, std::uint32_t id) {
  std::istringstream lines(contents(path));
  std::string line;
  while (std::getline(lines, line)) {
    // name:password:id:…
    const std::size_t first = line.find(':');
    const std::size_t second = first == std::string::npos ? first : line.find(':', first + 1);
    if (second == std::string::npos) {
      continue;
    }
    const std::size_t third = std::min(line.find(':', second + 1), line.size());
    if (number(std::string_view(line).substr(second + 1, third - second - 1)) == id) {
      return line.substr(0, first);
    }
  }
  return std::nullopt;
}

}  // namespace nestling
