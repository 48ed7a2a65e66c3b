// How fast the counter runs that a guest measures with.
#pragma once

namespace nestling::bench {

/// Ticks of the CPU's counter in a second, measured against the host's clock where the CPU does not
/// say. Takes some milliseconds.
[[nodiscard]] double ticks_per_second();

}  // namespace nestling::bench
