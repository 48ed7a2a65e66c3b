// The date and time that the machine's clock tells.
#pragma once

namespace nestling::guest {

/// In UTC.
struct DateTime {
  unsigned year, month, day, hour, minute, second;
  friend bool operator==(const DateTime&, const DateTime&) = default;
};

/// Defined by the architecture; never a time that was torn apart by an update.
[[nodiscard]] DateTime read_date_time();

}  // namespace nestling::guest
