// LazySymbols: the kernel's symbols, read from its file when the first one is needed.
#pragma once

#include <mutex>
#include <optional>

#include "base/log.h"
#include "boot/elf_symbols.h"
#include "boot/image.h"
#include "boot/symbols.h"

namespace nestling {

/// Any thread may ask.
class LazySymbols {
 public:
  /// Both must outlive this.
  LazySymbols(const Image& image, const Log& log) : image_(image), log_(log) {}

  /// Empty for a kernel without symbols, and, with a word to the log, for one whose symbols cannot
  /// be read.
  [[nodiscard]] const SymbolTable& table() {
    const std::lock_guard lock(mutex_);
    if (!table_) {
      auto read = read_symbols(image_);
      if (!read) {
        log_.warn("{}", read.error().message);
      }
      table_ = read ? *std::move(read) : SymbolTable();
    }
    return *table_;
  }

 private:
  const Image& image_;
  const Log& log_;
  std::mutex mutex_;
  std::optional<SymbolTable> table_;
};

}  // namespace nestling
