// Looking symbols up, and making their names readable.
#include "boot/symbols.h"

#include <cxxabi.h>

#include <algorithm>
#include <cstdlib>
#include <iterator>
#include <memory>
#include <tuple>

#include <fmt/core.h>

namespace nestling {

namespace {

/// How many symbols below an address find() looks at: nested ones are few in honest files.
constexpr std::ptrdiff_t kMaxCandidates = 64;

constexpr std::size_t kMaxMangledName = 1024;
/// Each reference to an earlier part can at most multiply the length by a small factor.
constexpr std::ptrdiff_t kMaxSubstitutions = 24;

/// Larger is preferred among symbols that start at the same address.
int preference(SymbolKind kind) {
  switch (kind) {
    case SymbolKind::kFunction:
      return 2;
    case SymbolKind::kObject:
      return 1;
    case SymbolKind::kLabel:
      break;
  }
  return 0;
}

bool comes_before(const Symbol& left, const Symbol& right) {
  // The name as the last resort makes the answer independent of the file's order.
  const auto key = [](const Symbol& symbol) {
    return std::tuple(symbol.start, preference(symbol.kind), symbol.size, symbol.name);
  };
  return key(left) < key(right);
}

/// S_ and S0_ repeat a part of the name, T_ and T0_ an argument of a template.
std::ptrdiff_t substitution_count(std::string_view name) {
  std::ptrdiff_t count = 0;
  for (std::size_t index = 0; index + 1 < name.size(); ++index) {
    const char next = name[index + 1];
    const bool is_reference =
        next == '_' || (next >= '0' && next <= '9') || (next >= 'A' && next <= 'Z');
    if ((name[index] == 'S' || name[index] == 'T') && is_reference) {
      ++count;
    }
  }
  return count;
}

}  // namespace

SymbolTable::SymbolTable(std::vector<Symbol> symbols) : symbols_(std::move(symbols)) {
  std::sort(symbols_.begin(), symbols_.end(), comes_before);
}

SymbolTable::SymbolTable(std::vector<Symbol> symbols, std::vector<GuestVirtRange> places)
    : SymbolTable(std::move(symbols)) {
  places_ = std::move(places);
}

std::optional<SymbolTable::Hit> SymbolTable::find(GuestVirtAddr address) const {
  if (places_ && std::none_of(places_->begin(), places_->end(), [&](const GuestVirtRange& place) {
        return place.contains(address);
      })) {
    return std::nullopt;
  }
  const auto above = std::upper_bound(
      symbols_.begin(), symbols_.end(), address,
      [](GuestVirtAddr wanted, const Symbol& symbol) { return wanted < symbol.start; });
  const Symbol* covering = nullptr;
  const Symbol* open_ended = nullptr;
  auto candidate = above;
  for (std::ptrdiff_t looked_at = 0; candidate != symbols_.begin() && looked_at < kMaxCandidates;
       ++looked_at) {
    --candidate;
    const std::uint64_t offset = address.offset_from(candidate->start);
    if (candidate->size == 0) {
      // Only what directly precedes the address can be taken to reach up to it.
      if (open_ended == nullptr && looked_at == 0) {
        open_ended = &*candidate;
      }
    } else if (offset < candidate->size) {
      if (candidate->kind == SymbolKind::kFunction) {
        return Hit{*candidate, offset};
      }
      if (covering == nullptr) {
        covering = &*candidate;
      }
    }
  }
  const Symbol* const found = covering != nullptr ? covering : open_ended;
  if (found == nullptr) {
    return std::nullopt;
  }
  return Hit{*found, address.offset_from(found->start)};
}

std::string SymbolTable::describe(GuestVirtAddr address) const {
  const auto hit = find(address);
  if (!hit) {
    return {};
  }
  std::string name = demangled(hit->symbol.name);
  // A file's names must not steer the terminal they end up on.
  std::replace_if(
      name.begin(), name.end(), [](char letter) { return letter < ' ' || letter > '~'; }, '?');
  return hit->offset == 0 ? name : fmt::format("{}+{:#x}", name, hit->offset);
}

std::vector<Symbol> SymbolTable::named(std::string_view name) const {
  // The last part of a C++ name stands in the mangled one, which rules most symbols out cheaply.
  std::string_view last_part = name.substr(0, name.find('('));
  if (const auto colons = last_part.rfind("::"); colons != std::string_view::npos) {
    last_part.remove_prefix(colons + 2);
  }
  std::vector<Symbol> found;
  for (const Symbol& symbol : symbols_) {
    if (symbol.name.find(last_part) == std::string_view::npos) {
      continue;
    }
    const std::string readable = demangled(symbol.name);
    if (symbol.name == name || readable == name || readable.substr(0, readable.find('(')) == name) {
      found.push_back(symbol);
    }
  }
  return found;
}

std::string demangled(std::string_view name) {
  std::string text(name);
  if (!name.starts_with("_Z") || name.size() > kMaxMangledName ||
      substitution_count(name) > kMaxSubstitutions) {
    return text;
  }
  struct Free {
    void operator()(char* pointer) const { std::free(pointer); }
  };
  int status = 0;
  const std::unique_ptr<char, Free> readable(
      abi::__cxa_demangle(text.c_str(), nullptr, nullptr, &status));
  return status == 0 && readable != nullptr ? std::string(readable.get()) : text;
}

}  // namespace nestling
