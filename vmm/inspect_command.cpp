// Collecting what there is to say, and saying it.
#include "vmm/inspect_command.h"

#include <cstdio>
#include <utility>

#include "boot/elf_symbols.h"
#include "boot/x86_64/ram_layout.h"
#include "vmm/inspection.h"
#include "vmm/output_file.h"
#include "vmm/verdict.h"

namespace nestling {

namespace {

/// The plan of a boot with `memory_size` bytes of RAM, as `nestling run` would make it.
Result<x86_64::BootPlan> plan_boot(const Image& image, std::uint64_t memory_size) {
  const auto ram = x86_64::ram_ranges(memory_size);
  if (!ram) {
    return failure(ram.error());
  }
  return x86_64::plan_boot({image, *ram, {}, {}});
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
  auto plan = plan_boot(*inspection.image, options.memory_size);
  if (plan) {
    inspection.plan = std::move(*plan);
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
