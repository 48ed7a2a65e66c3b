// Pictures of an address space: a table of its areas for a terminal, a heat map of its pages.
#pragma once

#include <string>

#include "addrspace/address_space.h"

namespace nestling {

/// The areas as aligned text, one a line, with what of each is resident in pages of which size, and
/// a line of sums. Ends with a newline. A space without areas says so. Any thread.
[[nodiscard]] std::string text_map(const AddressSpace& space);

/// text_map(), and below each area the runs of equal entries in it; at most `run_limit` of them for
/// one area, the rest as a count. Any thread.
[[nodiscard]] std::string dump(const AddressSpace& space, std::size_t run_limit = 64);

/// An SVG drawing in which each cell is an equal part of an area, coloured by the pages in it: not
/// populated, partly populated, or by page size. One strip for an area, holes left out. The cells
/// are as large (from 4 KiB on) as keeps the drawing legible, 2 MiB or 64 GiB. Any thread.
[[nodiscard]] std::string svg_map(const AddressSpace& space);

/// "512 KiB", "1.5 GiB": three digits at most, exact where it says so without a point.
[[nodiscard]] std::string readable_size(std::uint64_t bytes);

}  // namespace nestling
