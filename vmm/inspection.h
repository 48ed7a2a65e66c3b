// Inspection: everything that can be known of a kernel without running it, as text and as JSON.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/result.h"
#include "boot/boot_info.h"
#include "boot/image.h"
#include "boot/symbols.h"

namespace nestling {

/// Move-only.
struct Inspection {
  std::string path;
  std::uint64_t memory_size = 0;  ///< bytes of RAM of the machine it was held against
  /// Absent when the file is no image; `obstacle` then says why.
  std::optional<Image> image;
  Result<SymbolTable> symbols;
  /// The map that the kernel would find; absent when it would not boot.
  std::optional<std::vector<MemoryMapEntry>> memory_map;
  /// Why it would not boot.
  std::optional<Error> obstacle;
};

/// Several lines for a person, with a newline at the end of each.
[[nodiscard]] std::string to_text(const Inspection& inspection);

/// One JSON object. Its names only ever grow in number.
[[nodiscard]] std::string to_json(const Inspection& inspection);

}  // namespace nestling
