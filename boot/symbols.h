// SymbolTable: which function or object an address lies in, for messages.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "addrspace/range.h"

namespace nestling {

enum class SymbolKind : std::uint8_t {
  kFunction,
  kObject,
  kLabel,  ///< what assemblers make: no type
};

struct Symbol {
  GuestVirtAddr start;
  /// In bytes; 0 where the file does not say, which then means up to the next symbol.
  std::uint64_t size = 0;
  SymbolKind kind = SymbolKind::kLabel;
  /// As it stands in the file, which must outlive this.
  std::string_view name;
};

/// Symbols by address. Immutable, so any thread may ask. The names live in the image's file: the
/// image must outlive the table.
class SymbolTable {
 public:
  struct Hit {
    Symbol symbol;
    /// From the symbol's start to the address asked for.
    std::uint64_t offset = 0;
  };

  SymbolTable() = default;
  /// Takes symbols in any order, also ones that overlap, repeat or wrap: a file is not trusted.
  explicit SymbolTable(std::vector<Symbol> symbols);
  /// The same, for a kernel of which nothing is outside of `places`.
  SymbolTable(std::vector<Symbol> symbols, std::vector<GuestVirtRange> places);

  /// The symbol `address` is in: the nearest function or object that says it covers it, functions
  /// first, or else the nearest symbol of unknown size below it. Nothing where there is neither,
  /// and nothing outside of the kernel's places.
  [[nodiscard]] std::optional<Hit> find(GuestVirtAddr address) const;

  /// "crash_now()+0x14", demangled, "+0x0" left out, with '?' for what is not printable ASCII;
  /// empty where find() finds nothing.
  [[nodiscard]] std::string describe(GuestVirtAddr address) const;

  /// The symbols called `name`, ascending: as it stands in the file, or demangled, with its
  /// parameters or without them.
  [[nodiscard]] std::vector<Symbol> named(std::string_view name) const;

  [[nodiscard]] bool is_empty() const { return symbols_.empty(); }
  [[nodiscard]] std::size_t size() const { return symbols_.size(); }

 private:
  /// Ascending by start; among equals, what find() prefers comes last.
  std::vector<Symbol> symbols_;
  /// Nothing for everywhere.
  std::optional<std::vector<GuestVirtRange>> places_;
};

/// `name` as C++ programmers write it; unchanged when it is not a mangled name, or one made to
/// blow up (substitutions can multiply a name's length exponentially).
[[nodiscard]] std::string demangled(std::string_view name);

}  // namespace nestling
