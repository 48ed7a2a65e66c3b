// Reading watched ranges from the command line and from the kernel's symbols.
#include "vmm/audit/watch_list.h"

#include <algorithm>
#include <charconv>

#include <fmt/core.h>

namespace nestling {

namespace {

bool is_digit(char letter) { return letter >= '0' && letter <= '9'; }

/// Hexadecimal after 0x, else decimal; nothing when any of `text` is something else.
std::optional<std::uint64_t> number(std::string_view text) {
  int base = 10;
  if (text.starts_with("0x") || text.starts_with("0X")) {
    text.remove_prefix(2);
    base = 16;
  }
  std::uint64_t value = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (text.empty() || problem != std::errc() || end != text.data() + text.size()) {
    return std::nullopt;
  }
  return value;
}

/// A number with K, M or G behind it.
std::optional<std::uint64_t> size_number(std::string_view text) {
  unsigned shift = 0;
  for (const auto& [letter, bits] : {std::pair{'K', 10U}, {'M', 20U}, {'G', 30U}}) {
    if (text.ends_with(letter)) {
      text.remove_suffix(1);
      shift = bits;
    }
  }
  const auto value = number(text);
  if (!value || *value > UINT64_MAX >> shift) {
    return std::nullopt;
  }
  return *value << shift;
}

std::optional<Access> access_named(std::string_view text) {
  if (text == "r") {
    return Access::read();
  }
  if (text == "w") {
    return Access::write();
  }
  return text == "rw" ? std::optional(Access::read_write()) : std::nullopt;
}

/// Cuts ":rw" off the end of `place`; a colon of a C++ name's "::" is part of the name.
std::optional<Access> take_access(std::string_view& place) {
  const std::size_t colon = place.rfind(':');
  if (colon == std::string_view::npos || (colon > 0 && place[colon - 1] == ':')) {
    return Access::read_write();
  }
  const auto access = access_named(place.substr(colon + 1));
  place = place.substr(0, colon);
  return access;
}

/// "START-LAST" and "START+SIZE".
bool read_addresses(std::string_view place, WatchRequest& request) {
  const std::size_t mark = place.find_first_of("-+");
  if (mark == std::string_view::npos) {
    return false;
  }
  const auto start = number(place.substr(0, mark));
  const std::string_view rest = place.substr(mark + 1);
  if (!start) {
    return false;
  }
  request.start = GuestPhysAddr(*start);
  if (place[mark] == '+') {
    request.size = size_number(rest);
  } else if (const auto last = number(rest); last && *last >= *start) {
    request.size = *last - *start + 1;  // 0 for all 2^64, which no guest has
  }
  return request.size && *request.size != 0 && GuestPhysRange::make(request.start, *request.size);
}

/// "SYMBOL" and "SYMBOL+SIZE".
bool read_symbol(std::string_view place, WatchRequest& request) {
  const std::size_t plus = place.rfind('+');
  request.symbol = place.substr(0, plus);
  if (plus != std::string_view::npos) {
    request.size = size_number(place.substr(plus + 1));
    return request.size && *request.size != 0 && !request.symbol.empty();
  }
  return !request.symbol.empty();
}

Error unusable(const WatchRequest& request, std::string_view why) {
  return make_error(ErrorKind::kUsage, "--watch {}: {}", request.text, why);
}

/// Where the kernel's bytes at `address` are loaded, as far as they reach.
std::optional<GuestPhysRange> loaded_at(const Image& image, GuestVirtAddr address) {
  for (const ImageSegment& segment : image.segments) {
    if (address < segment.virtual_start) {
      continue;
    }
    const std::uint64_t offset = address.offset_from(segment.virtual_start);
    if (offset < segment.memory.size()) {
      return GuestPhysRange::of(segment.memory.start() + offset, segment.memory.size() - offset);
    }
  }
  return std::nullopt;
}

}  // namespace

Result<WatchRequest> parse_watch(std::string_view text) {
  WatchRequest request;
  request.text = text;
  std::string_view place = text;
  const auto access = take_access(place);
  const bool is_address = !place.empty() && is_digit(place.front());
  const bool is_read =
      access && (is_address ? read_addresses(place, request) : read_symbol(place, request));
  if (!is_read) {
    return failure(make_error(ErrorKind::kUsage,
                              "{} is no range to watch: give 0x200000-0x200fff:rw, "
                              "0x200000+4K:w, SYMBOL:r or SYMBOL+SIZE:rw",
                              text.empty() ? "nothing" : text));
  }
  request.access = *access;
  return request;
}

Result<WatchRange> locate(const WatchRequest& request, const Image& image,
                          const SymbolTable& symbols) {
  if (request.symbol.empty()) {
    return WatchRange{GuestPhysRange::of(request.start, request.size.value_or(0)), request.access,
                      request.text};
  }
  const std::vector<Symbol> named = symbols.named(request.symbol);
  if (named.empty()) {
    return failure(unusable(request, symbols.is_empty()
                                         ? "the kernel has no symbols: give addresses"
                                         : "the kernel has no such symbol"));
  }
  const Symbol& symbol = named.front();
  const bool is_one = std::all_of(named.begin(), named.end(),
                                  [&](const Symbol& each) { return each.start == symbol.start; });
  if (!is_one) {
    return failure(unusable(
        request, fmt::format("{} symbols have this name, at {:#x} and {:#x} for two: give one's "
                             "address",
                             named.size(), symbol.start.value(), named.back().start.value())));
  }
  const std::uint64_t size = request.size.value_or(symbol.size);
  if (size == 0) {
    return failure(unusable(request, "the symbol says no size: give SYMBOL+SIZE"));
  }
  const auto room = loaded_at(image, symbol.start);
  if (!room || size > room->size()) {
    return failure(unusable(request, fmt::format("{:#x}, with {:#x} bytes, is not in memory that "
                                                 "the kernel's file is loaded to",
                                                 symbol.start.value(), size)));
  }
  return WatchRange{GuestPhysRange::of(room->start(), size), request.access, request.text};
}

const WatchRange* WatchList::hit_by(GuestPhysRange bytes, Access access) const {
  const auto found = std::find_if(ranges_.begin(), ranges_.end(), [&](const WatchRange& watched) {
    return watched.range.overlaps(bytes) && !(watched.access & access).is_empty();
  });
  return found == ranges_.end() ? nullptr : &*found;
}

bool WatchList::traps(GuestPhysAddr address) const {
  return std::any_of(ranges_.begin(), ranges_.end(),
                     [&](const WatchRange& watched) { return watched.pages().contains(address); });
}

bool WatchList::traps(GuestPhysAddr address, Access access) const {
  return std::any_of(ranges_.begin(), ranges_.end(), [&](const WatchRange& watched) {
    return watched.pages().contains(address) &&
           (watched.access.allows(Access::read()) || access.allows(Access::write()));
  });
}

std::string WatchList::obstacle_on(std::span<const GuestPhysAddr> path) const {
  for (const WatchRange& watched : ranges_) {
    const auto found = std::find_if(path.begin(), path.end(), [&](GuestPhysAddr address) {
      return watched.access.allows(Access::read()) && watched.pages().contains(address);
    });
    if (found != path.end()) {
      return fmt::format(
          "; --watch {} traps reads of the page at {:#x}, and KVM neither runs code "
          "nor walks page tables in such a page: watch writes only, or less of it",
          watched.text, found->aligned_down(kPageSize).value());
    }
  }
  return {};
}

}  // namespace nestling
