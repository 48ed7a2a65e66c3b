// The two forms of an inspection.
#include "vmm/inspection.h"

#include <span>
#include <string_view>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "boot/memory_map.h"
#include "vmm/verdict.h"

namespace nestling {

namespace {

/// "4 KiB", "12.5 MiB", "37 bytes".
std::string human_size(std::uint64_t bytes) {
  constexpr std::uint64_t kKiB = 1024;
  if (bytes < kKiB) {
    return fmt::format("{} byte{}", bytes, bytes == 1 ? "" : "s");
  }
  double amount = static_cast<double>(bytes) / static_cast<double>(kKiB);
  std::string_view unit = "KiB";
  for (const std::string_view larger : {"MiB", "GiB", "TiB"}) {
    if (amount >= static_cast<double>(kKiB)) {
      amount /= static_cast<double>(kKiB);
      unit = larger;
    }
  }
  return fmt::format("{:.4g} {}", amount, unit);
}

/// The symbol at the entry, which is looked for where the kernel is linked.
std::string entry_symbol(const Inspection& inspection) {
  return inspection.symbols ? inspection.symbols->describe(inspection.image->virtual_entry)
                            : std::string();
}

std::string entry_text(const Inspection& inspection) {
  const Image& image = *inspection.image;
  std::string text = fmt::format("{:#x}", image.entry.value());
  if (image.entry.value() != image.virtual_entry.value()) {
    text += fmt::format(", linked at {:#x}", image.virtual_entry.value());
  }
  const std::string symbol = entry_symbol(inspection);
  return symbol.empty() ? text : text + ", " + symbol;
}

std::string symbols_text(const Inspection& inspection) {
  if (!inspection.symbols) {
    return inspection.symbols.error().message;
  }
  return inspection.symbols->is_empty() ? "none" : std::to_string(inspection.symbols->size());
}

std::string segments_text(const Image& image) {
  std::string text = fmt::format("\n  {:<19} {:<23} {:>11} {:>11}  {}\n", "segment",
                                 "guest-physical memory", "in memory", "in file", "rights");
  for (const ImageSegment& segment : image.segments) {
    text += fmt::format("  {:<19} {:<23} {:>11} {:>11}  {}\n", name_of(segment, image.format),
                        name_of(segment.memory), human_size(segment.memory.size()),
                        human_size(segment.file.size()), name_of(segment.access));
  }
  return text;
}

std::string memory_map_text(const Inspection& inspection) {
  std::string text = fmt::format("\n  memory map it would find in {} of RAM\n",
                                 human_size(inspection.memory_size));
  for (const MemoryMapEntry& entry : *inspection.memory_map) {
    const auto range = GuestPhysRange::of(GuestPhysAddr(entry.start), entry.size);
    text += fmt::format("  {:<23} {:>11}  {}\n", name_of(range), human_size(entry.size),
                        name_of(entry.kind));
  }
  return text;
}

/// What the message says without the path it starts with.
std::string_view reason_of(const Inspection& inspection) {
  std::string_view reason = inspection.obstacle->message;
  const std::string prefix = inspection.path + ": ";
  if (reason.starts_with(prefix)) {
    reason.remove_prefix(prefix.size());
  }
  return reason;
}

using Json = nlohmann::ordered_json;

/// Text, because many readers of JSON round numbers above 2^53.
std::string hex(std::uint64_t address) { return fmt::format("{:#x}", address); }

Json segments_json(const Image& image) {
  Json segments = Json::array();
  for (const ImageSegment& segment : image.segments) {
    segments.push_back({{"number", segment.number},
                        {"physical_address", hex(segment.memory.start().value())},
                        {"virtual_address", hex(segment.virtual_start.value())},
                        {"memory_bytes", segment.memory.size()},
                        {"file_bytes", segment.file.size()},
                        {"rights", name_of(segment.access)}});
  }
  return segments;
}

Json image_json(const Inspection& inspection) {
  const Image& image = *inspection.image;
  const std::string symbol = entry_symbol(inspection);
  Json json;
  json["format"] = name_of(image.format);
  json["machine"] = name_of(image.architecture);
  json["file_bytes"] = image.file.size();
  json["entry"] = {{"physical_address", hex(image.entry.value())},
                   {"virtual_address", hex(image.virtual_entry.value())},
                   {"symbol", symbol.empty() ? Json() : Json(symbol)}};
  json["needs"] = image.needs.irqchip ? Json::array({"irqchip"}) : Json::array();
  json["doubts"] = image.doubts;
  json["symbol_count"] = inspection.symbols ? Json(inspection.symbols->size()) : Json();
  json["segments"] = segments_json(image);
  return json;
}

Json memory_map_json(std::span<const MemoryMapEntry> memory_map) {
  Json entries = Json::array();
  for (const MemoryMapEntry& entry : memory_map) {
    entries.push_back(
        {{"address", hex(entry.start)}, {"bytes", entry.size}, {"kind", name_of(entry.kind)}});
  }
  return entries;
}

}  // namespace

std::string to_text(const Inspection& inspection) {
  if (!inspection.image) {
    return fmt::format("{}: would not boot: {}\n", inspection.path, reason_of(inspection));
  }
  const Image& image = *inspection.image;
  std::string text =
      fmt::format("{}: {} image for {}, {}\n", inspection.path, name_of(image.format),
                  name_of(image.architecture), human_size(image.file.size()));
  text += fmt::format("  entry    {}\n", entry_text(inspection));
  text +=
      fmt::format("  needs    {}\n",
                  image.needs.irqchip ? "interrupt controllers and timer (irqchip)" : "nothing");
  text += fmt::format("  symbols  {}\n", symbols_text(inspection));
  text += segments_text(image);
  if (inspection.memory_map) {
    text += memory_map_text(inspection);
    text += fmt::format("\nwould boot with {} of RAM\n", human_size(inspection.memory_size));
    for (const std::string& doubt : image.doubts) {
      text += fmt::format("but is hardly a kernel: {}\n", doubt);
    }
  } else {
    text += fmt::format("\nwould not boot: {}\n", reason_of(inspection));
  }
  return text;
}

std::string to_json(const Inspection& inspection) {
  Json json;
  json["path"] = inspection.path;
  json["would_boot"] = inspection.memory_map.has_value();
  json["reason"] = inspection.obstacle ? Json(reason_of(inspection)) : Json();
  json["exit_code"] = inspection.obstacle ? exit_code(inspection.obstacle->kind) : 0;
  json["memory_bytes"] = inspection.memory_size;
  json["image"] = inspection.image ? image_json(inspection) : Json();
  json["memory_map"] = inspection.memory_map ? memory_map_json(*inspection.memory_map) : Json();
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace nestling
