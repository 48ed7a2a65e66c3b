// Fuzzes all that Nestling does with a kernel file: reading it, its symbols, planning and loading.
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/check.h"
#include "boot/elf_image.h"
#include "boot/elf_symbols.h"
#include "boot/x86_64/prepare_boot.h"
#include "boot/x86_64/ram_layout.h"
#include "tests/support/guarded_bytes.h"
#include "tests/support/ram.h"

namespace nestling {
namespace {

constexpr std::uint64_t kRamSize = 4ULL << 20;

void check_image(const Image& image) {
  bool is_entry_in_file = false;
  for (const ImageSegment& segment : image.segments) {
    check(!segment.memory.is_empty(), "an empty segment");
    check(segment.file.size() <= segment.memory.size(), "more file than memory");
    is_entry_in_file =
        is_entry_in_file ||
        (segment.memory.contains(image.entry) && segment.access.allows(Access::execute()) &&
         image.entry.offset_from(segment.memory.start()) < segment.file.size());
  }
  check(is_entry_in_file, "an entry outside the file's code");
}

void look_up_symbols(const Image& image) {
  const auto symbols = read_symbols(image);
  if (!symbols) {
    check(symbols.error().kind == ErrorKind::kBadImage, "the wrong kind of error");
    return;
  }
  static_cast<void>(symbols->describe(image.virtual_entry));
  for (const ImageSegment& segment : image.segments) {
    static_cast<void>(symbols->describe(segment.virtual_start));
  }
}

void boot(const Image& image, Ram& ram, std::span<const GuestPhysRange> ranges) {
  const BootRequest request{image, ranges, "command line", {}};
  const auto plan = x86_64::plan_boot(request);
  const auto entry = x86_64::prepare_boot(request, ram);
  check(plan.has_value() == entry.has_value(), "the plan and the boot disagree");
  if (!plan) {
    check(plan.error().kind == ErrorKind::kBadImage, "the wrong kind of error");
    return;
  }
  for (const ImageSegment& segment : image.segments) {
    check(!segment.memory.overlaps(plan->structures), "a segment under the boot structures");
  }
  std::uint64_t end = 0;
  for (const MemoryMapEntry& each : plan->memory_map) {
    check(each.start >= end && each.size != 0, "the memory map is out of order");
    end = each.start + each.size;
  }
}

void fuzz(std::span<const std::byte> input) {
  // Of no interest for its contents, so one serves all inputs.
  static const std::vector<GuestPhysRange> kRanges = x86_64::ram_ranges(kRamSize).value();
  static Ram ram = Ram::create(kRanges).value();
  const testing::GuardedBytes file(input);
  const auto image = parse_elf_image(file.bytes());
  if (!image) {
    check(image.error().kind == ErrorKind::kBadImage, "the wrong kind of error");
    check(!image.error().message.empty(), "an error without a message");
    return;
  }
  check_image(*image);
  look_up_symbols(*image);
  boot(*image, ram, kRanges);
}

}  // namespace
}  // namespace nestling

// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer's name.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  nestling::fuzz(std::as_bytes(std::span(data, size)));
  return 0;
}
