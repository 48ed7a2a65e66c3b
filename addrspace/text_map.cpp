// The map and the dump for a terminal.
#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include <fmt/core.h>

#include "addrspace/space_map.h"

namespace nestling {

namespace {

/// One line of the table: a cell for each column.
constexpr std::size_t kColumns = 10;
using Row = std::array<std::string, kColumns>;

constexpr std::array<std::string_view, kColumns> kHeads = {
    "start", "last", "size", "area", "backend", "access", "type", "resident", "pages", "frames"};

std::string access_text(Access access) {
  return fmt::format("{}{}{}", access.allows(Access::read()) ? 'r' : '-',
                     access.allows(Access::write()) ? 'w' : '-',
                     access.allows(Access::execute()) ? 'x' : '-');
}

/// "1x1G 3x2M 17x4K", large first; "-" when there are none.
std::string pages_text(const BytesByPageSize& resident) {
  std::string text;
  for (const PageSize size : {PageSize::k1GiB, PageSize::k2MiB, PageSize::k4KiB}) {
    const std::uint64_t count =
        (resident[size] + bytes_of(size) - 1) / bytes_of(size);  // a page cut by an area counts
    if (count != 0) {
      text += fmt::format("{}{}x{}", text.empty() ? "" : " ", count, name_of(size));
    }
  }
  return text.empty() ? "-" : text;
}

/// "73 %", and neither 0 nor 100 unless it is exactly that.
std::string percent_text(std::uint64_t part, std::uint64_t whole) {
  if (part == 0 || whole == 0) {
    return "0 %";
  }
  const auto percent =
      static_cast<unsigned>(static_cast<double>(part) * 100 / static_cast<double>(whole));
  return fmt::format("{} %", part == whole ? 100 : std::clamp(percent, 1U, 99U));
}

BytesByPageSize resident_of(const AddressSpace& space, GuestPhysRange range) {
  BytesByPageSize resident;
  space.visit_pages(range,
                    [&](const MappedRun& run) { resident[run.page_size] += run.guest.size(); });
  return resident;
}

struct Table {
  std::vector<Row> rows;
  std::vector<GuestPhysRange> ranges;  // of each row
  std::string sums;
};

Table table_of(const AddressSpace& space) {
  Table table;
  std::uint64_t mapped = 0;
  BytesByPageSize total;
  space.visit_areas(space.range(), [&](const Area& area) {
    const BytesByPageSize resident = resident_of(space, area.range);
    mapped += area.range.size();
    for (const PageSize size : kPageSizes) {
      total[size] += resident[size];
    }
    table.ranges.push_back(area.range);
    table.rows.push_back(
        {fmt::format("{:#x}", area.range.start().value()),
         fmt::format("{:#x}", area.range.last().value()), readable_size(area.range.size()),
         *area.name, std::string(name_of(area.backend)), access_text(area.access),
         std::string(name_of(area.type)), percent_text(resident.total(), area.range.size()),
         pages_text(resident), fmt::format("{:#x}", area.host.value())});
  });
  table.sums = fmt::format("{} areas, {} mapped, {} resident ({}), {}\n", table.rows.size(),
                           readable_size(mapped), readable_size(total.total()), pages_text(total),
                           space.table().format_name());
  return table;
}

/// Numbers stand to the right of their column, words to the left.
bool is_number(std::size_t column) {
  return column < 3 || kHeads.at(column) == "resident" || kHeads.at(column) == "frames";
}

/// Calls `after(row)` for text to put behind each line.
template <typename After>
std::string lay_out(const Table& table, After after) {
  std::array<std::size_t, kColumns> widths{};
  for (std::size_t column = 0; column < kColumns; ++column) {
    widths.at(column) = kHeads.at(column).size();
    for (const Row& row : table.rows) {
      widths.at(column) = std::max(widths.at(column), row.at(column).size());
    }
  }
  std::string text;
  const auto append = [&](const auto& cells) {
    std::string line;
    for (std::size_t column = 0; column < kColumns; ++column) {
      line += column == 0 ? "" : "  ";
      line += is_number(column) ? fmt::format("{:>{}}", cells.at(column), widths.at(column))
                                : fmt::format("{:<{}}", cells.at(column), widths.at(column));
    }
    text += line.substr(0, line.find_last_not_of(' ') + 1) + '\n';
  };
  append(kHeads);
  for (std::size_t row = 0; row < table.rows.size(); ++row) {
    append(table.rows.at(row));
    text += after(row);
  }
  return text + table.sums;
}

}  // namespace

std::string readable_size(std::uint64_t bytes) {
  constexpr std::array<std::string_view, 6> kUnits = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  if (bytes < 1024) {
    return fmt::format("{} B", bytes);
  }
  unsigned unit = 0;
  while (unit + 1 < kUnits.size() && bytes >> (10 * (unit + 2)) != 0) {
    ++unit;
  }
  const std::uint64_t size = 1ULL << (10 * (unit + 1));
  if (bytes % size == 0) {
    return fmt::format("{} {}", bytes / size, kUnits.at(unit));
  }
  const double value = static_cast<double>(bytes) / static_cast<double>(size);
  const int digits = value < 9.995 ? 2 : value < 99.95 ? 1 : 0;
  return fmt::format("{:.{}f} {}", value, digits, kUnits.at(unit));
}

std::string text_map(const AddressSpace& space) {
  const Table table = table_of(space);
  if (table.rows.empty()) {
    return "no areas\n";
  }
  return lay_out(table, [](std::size_t) { return std::string(); });
}

std::string dump(const AddressSpace& space, std::size_t run_limit) {
  const Table table = table_of(space);
  if (table.rows.empty()) {
    return "no areas\n";
  }
  return lay_out(table, [&](std::size_t row) {
    std::string text;
    std::size_t runs = 0;
    space.visit_pages(table.ranges.at(row), [&](const MappedRun& run) {
      if (++runs <= run_limit) {
        text += fmt::format("    {:#x}..{:#x} -> {:#x}  {}  {}  {}\n", run.guest.start().value(),
                            run.guest.last().value(), run.host.value(), name_of(run.page_size),
                            access_text(run.access), name_of(run.type));
      }
    });
    if (runs > run_limit) {
      text += fmt::format("    and {} more runs\n", runs - run_limit);
    }
    return text;
  });
}

}  // namespace nestling
