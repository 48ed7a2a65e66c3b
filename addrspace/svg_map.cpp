// The heat map: one strip of cells for each area, drawn as SVG.
#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/core.h>

#include "addrspace/space_map.h"

namespace nestling {

namespace {

// All lengths in SVG user units.
constexpr unsigned kCell = 12;  // pitch of the cells; a cell is one less
constexpr unsigned kAcross =
    64;  // cells in a row: a power of two, so that rows are aligned as pages are
constexpr unsigned kLeft = 24;
constexpr unsigned kWidth = 2 * kLeft + kAcross * kCell;
constexpr unsigned kHead = 30;  // the two lines of text above a strip take this
/// Cells in the whole drawing, about: what a page or a screen shows.
constexpr std::uint64_t kCellLimit = 4096;
/// Strips in the drawing; areas beyond are named in a last line.
constexpr std::size_t kAreaLimit = 48;

/// What a cell shows, and the class that colours it.
enum class Shade : std::uint8_t { kEmpty, kQuarter, kHalf, kMost, k4KiB, k2MiB, k1GiB };

struct Look {
  std::string_view name;  // of the class
  std::string_view colour;
  std::string_view legend;
};
// Ordered by lightness, so that it reads in grey and to the colour-blind as well.
constexpr std::array<Look, 7> kLooks = {{{"e", "#e8e6e1", "not populated"},
                                         {"q", "#cfe1ec", "under 1/3"},
                                         {"h", "#9fc6de", "under 2/3"},
                                         {"m", "#6aa7cd", "over 2/3"},
                                         {"s", "#2f7fb5", "4 KiB pages"},
                                         {"l", "#b2560d", "2 MiB pages"},
                                         {"g", "#5c1a6b", "1 GiB pages"}}};

struct Strip {
  std::string title;
  std::string detail;
  std::vector<Shade> cells;
};

std::string escaped(std::string_view text) {
  std::string result;
  for (const char each : text) {
    switch (each) {
      case '&':
        result += "&amp;";
        break;
      case '<':
        result += "&lt;";
        break;
      case '>':
        result += "&gt;";
        break;
      case '"':
        result += "&quot;";
        break;
      default:
        // Control characters have no place in XML at all.
        result += static_cast<unsigned char>(each) < 0x20 ? '?' : each;
        break;
    }
  }
  return result;
}

Shade shade_of(const BytesByPageSize& resident, std::uint64_t size) {
  const std::uint64_t total = resident.total();
  if (total == 0) {
    return Shade::kEmpty;
  }
  if (total < size) {
    return total < size / 3 ? Shade::kQuarter : total < size / 3 * 2 ? Shade::kHalf : Shade::kMost;
  }
  // Full: the size of page that holds most of it.
  const std::uint64_t largest = std::max({resident.bytes[0], resident.bytes[1], resident.bytes[2]});
  return resident[PageSize::k1GiB] == largest   ? Shade::k1GiB
         : resident[PageSize::k2MiB] == largest ? Shade::k2MiB
                                                : Shade::k4KiB;
}

/// The smallest power of two from 4 KiB on of which the areas need no more cells than fit.
std::uint64_t cell_size_for(const std::vector<GuestPhysRange>& areas) {
  std::uint64_t size = kPageSize;
  for (; size < 1ULL << 56; size *= 2) {
    std::uint64_t cells = 0;
    for (const GuestPhysRange& area : areas) {
      cells += (area.size() - 1) / size + 1;
    }
    if (cells <= std::max<std::uint64_t>(kCellLimit, areas.size())) {
      break;
    }
  }
  return size;
}

Strip strip_of(const AddressSpace& space, const Area& area, std::uint64_t cell_size) {
  Strip strip;
  std::vector<BytesByPageSize> cells((area.range.size() - 1) / cell_size + 1);
  space.visit_pages(area.range, [&](const MappedRun& run) {
    const std::uint64_t first = run.guest.start().offset_from(area.range.start());
    const std::uint64_t last = first + (run.guest.size() - 1);
    for (std::uint64_t cell = first / cell_size; cell <= last / cell_size; ++cell) {
      const std::uint64_t from = std::max(first, cell * cell_size);
      const std::uint64_t to = std::min(last, cell * cell_size + (cell_size - 1));
      cells.at(cell)[run.page_size] += to - from + 1;
    }
  });
  std::uint64_t resident = 0;
  for (std::uint64_t i = 0; i < cells.size(); ++i) {
    const std::uint64_t size = std::min(cell_size, area.range.size() - i * cell_size);
    strip.cells.push_back(shade_of(cells.at(i), size));
    resident += cells.at(i).total();
  }
  strip.title = escaped(area.name->empty() ? "(no name)" : *area.name);
  strip.detail =
      fmt::format("{:#x} – {:#x} · {} · {} · {}{}{} · {} resident", area.range.start().value(),
                  area.range.last().value(), readable_size(area.range.size()),
                  name_of(area.backend), area.access.allows(Access::read()) ? 'r' : '-',
                  area.access.allows(Access::write()) ? 'w' : '-',
                  area.access.allows(Access::execute()) ? 'x' : '-', readable_size(resident));
  return strip;
}

/// Draws the cells of a strip: neighbours of one shade are one rectangle with gaps drawn over it,
/// so that a drawing of thousands of cells stays small.
std::string draw(const Strip& strip, unsigned top) {
  std::string text = fmt::format(
      "<text x=\"{}\" y=\"{}\" class=\"t\">{}</text><text x=\"{}\" y=\"{}\">{}</text>\n", kLeft,
      top + 10, strip.title, kLeft, top + 23, strip.detail);
  for (std::size_t i = 0; i < strip.cells.size();) {
    const std::size_t row = i / kAcross;
    std::size_t end = i + 1;
    while (end < strip.cells.size() && end / kAcross == row &&
           strip.cells.at(end) == strip.cells.at(i)) {
      ++end;
    }
    text += fmt::format("<rect class=\"{}\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\"/>\n",
                        kLooks.at(static_cast<std::size_t>(strip.cells.at(i))).name,
                        kLeft + i % kAcross * kCell, top + kHead + row * kCell,
                        (end - i) * kCell - 1, kCell - 1);
    i = end;
  }
  return text;
}

/// The vertical gaps between cells, as a pattern over the whole strip.
std::string draw_gaps(unsigned top, std::size_t cells) {
  const std::size_t rows = (cells - 1) / kAcross + 1;
  return fmt::format("<rect fill=\"url(#gaps)\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\"/>\n",
                     kLeft, top + kHead, std::min<std::size_t>(cells, kAcross) * kCell,
                     rows * kCell);
}

std::string draw_legend(unsigned top) {
  std::string text;
  unsigned x = kLeft;
  for (const Look& look : kLooks) {
    text += fmt::format(
        "<rect class=\"{}\" x=\"{}\" y=\"{}\" width=\"11\" height=\"11\"/>"
        "<text x=\"{}\" y=\"{}\">{}</text>\n",
        look.name, x, top, x + 16, top + 10, look.legend);
    x += 34 + 7 * static_cast<unsigned>(look.legend.size());
  }
  return text;
}

std::string head(unsigned height) {
  std::string text = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {} {}\" width=\"{}\" "
      "height=\"{}\">\n<style>text{{font:11px ui-monospace,Menlo,Consolas,'DejaVu Sans "
      "Mono',monospace;fill:#444}}.t{{font-weight:bold;fill:#111}}.T{{font-size:15px}}",
      kWidth, height, kWidth, height);
  for (const Look& look : kLooks) {
    text += fmt::format(".{}{{fill:{}}}", look.name, look.colour);
  }
  return text + fmt::format(
                    "</style>\n<defs><pattern id=\"gaps\" x=\"{}\" width=\"{}\" height=\"{}\" "
                    "patternUnits=\"userSpaceOnUse\"><rect x=\"{}\" width=\"1\" height=\"{}\" "
                    "fill=\"#fff\"/></pattern></defs>\n"
                    "<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n",
                    kLeft, kCell, kCell, kCell - 1, kCell);
}

}  // namespace

std::string svg_map(const AddressSpace& space) {
  std::vector<GuestPhysRange> drawn;
  std::size_t areas = 0;
  space.visit_areas(space.range(), [&](const Area& area) {
    if (++areas <= kAreaLimit) {
      drawn.push_back(area.range);
    }
  });
  const std::uint64_t cell_size = cell_size_for(drawn);
  std::vector<Strip> strips;
  space.visit_areas(space.range(), [&](const Area& area) {
    if (strips.size() < drawn.size()) {
      strips.push_back(strip_of(space, area, cell_size));
    }
  });
  std::string body = fmt::format(
      "<text x=\"{}\" y=\"28\" class=\"t T\">Guest-physical memory</text>"
      "<text x=\"{}\" y=\"46\">one cell is {} · {} areas · {}</text>\n",
      kLeft, kLeft, readable_size(cell_size), areas, escaped(space.table().format_name()));
  body += draw_legend(60);
  unsigned top = 92;
  for (const Strip& strip : strips) {
    body += draw(strip, top) + draw_gaps(top, strip.cells.size());
    const auto rows = static_cast<unsigned>((strip.cells.size() - 1) / kAcross + 1);
    top += kHead + rows * kCell + 16;
  }
  if (areas > drawn.size()) {
    body += fmt::format("<text x=\"{}\" y=\"{}\">and {} more areas</text>\n", kLeft, top + 10,
                        areas - drawn.size());
    top += 26;
  }
  return head(top) + body + "</svg>\n";
}

}  // namespace nestling
