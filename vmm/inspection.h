// Inspection: everything that can be known of a kernel without running it, as text and as JSON.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/result.h"
#include "boot/image.h"
#include "boot/symbols.h"
#include "boot/x86_64/prepare_boot.h"

namespace nestling {

/// Move-only.
struct Inspection {
  std::string path;
  std::uint64_t memory_size = 0;  ///< bytes of RAM of the machine it was held against
  /// Absent when the file is no image; `obstacle` then says why.
  std::optional<Image> image;
  Result<SymbolTable> symbols;
  /// What the boot would look like; absent when it would not boot.
  std::optional<x86_64::BootPlan> plan;
  /// Why it would not boot.
  std::optional<Error> obstacle;
};

/// Several lines for a person, with a newline at the end of each.
[[nodiscard]] std::string to_text(const Inspection& inspection);

/// One JSON object. Its names only ever grow in number.
[[nodiscard]] std::string to_json(const Inspection& inspection);

}  // namespace nestling
