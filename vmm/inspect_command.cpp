// Collecting what there is to say, and saying it.
#include "vmm/inspect_command.h"

#include <cstdio>
#include <utility>
#include <vector>

#include "boot/aarch64/prepare_boot.h"
#include "boot/aarch64/ram_layout.h"
#include "boot/elf_symbols.h"
#include "boot/x86_64/prepare_boot.h"
#include "boot/x86_64/ram_layout.h"
#include "vmm/inspection.h"
#include "vmm/output_file.h"
#include "vmm/verdict.h"

namespace nestling {

namespace {

/// The memory map of a boot on the machine of `options`, as `nestling run` would make it.
Result<std::vector<MemoryMapEntry>> plan_boot(const Image& image, const InspectOptions& options) {
  const bool is_arm = options.architecture == Architecture::kAarch64;
  const auto ram =
      is_arm ? aarch64::ram_ranges(options.memory_size) : x86_64::ram_ranges(options.memory_size);
  if (!ram) {
    return failure(ram.error());
  }
  const BootRequest request{.image = image, .ram = *ram, .command_line = {}, .devices = {}};
  if (is_arm) {
    auto plan = aarch64::plan_boot(request);
    return plan ? Result<std::vector<MemoryMapEntry>>(std::move(plan->memory_map))
                : failure(plan.error());
  }
  auto plan = x86_64::plan_boot(request);
  return plan ? Result<std::vector<MemoryMapEntry>>(std::move(plan->memory_map))
              : failure(plan.error());
}

Inspection inspection_of(const InspectOptions& options) {
  Inspection inspection;
  inspection.path = options.image.path;
  inspection.memory_size = options.memory_size;
  auto image = open_image(options.image);
  if (!image) {
    inspection.obstacle = std::move(image).error();
    return inspection;
  }
  inspection.image = std::move(*image);
  inspection.symbols = read_symbols(*inspection.image);
  auto plan = plan_boot(*inspection.image, options);
  if (plan) {
    inspection.memory_map = std::move(*plan);
  } else {
    inspection.obstacle = std::move(plan).error();
  }
  return inspection;
}

}  // namespace

InspectResult inspect_image(const InspectOptions& options) {
  const Inspection inspection = inspection_of(options);
  InspectResult result;
  if (inspection.obstacle) {
    result.exit_code = exit_code(inspection.obstacle->kind);
    // That an image would not boot is an answer; that there is none to look at is not.
    if (inspection.obstacle->kind != ErrorKind::kBadImage) {
      result.error = fmt::format("nestling: {}\n", inspection.obstacle->message);
    }
  }
  if (options.json) {
    result.output = to_json(inspection);
  } else if (result.error.empty()) {
    result.output = to_text(inspection);
  }
  return result;
}

int inspect(const InspectOptions& options) {
  const InspectResult result = inspect_image(options);
  std::fputs(result.error.c_str(), stderr);
  const auto written = write_output_file("-", result.output);
  if (!written) {
    std::fprintf(stderr, "nestling: %s\n", written.error().message.c_str());
    return exit_code(written.error().kind);
  }
  return result.exit_code;
}

}  // namespace nestling
