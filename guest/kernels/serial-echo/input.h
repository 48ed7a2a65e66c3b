// Input by the interrupts of an architecture's UART.
#pragma once

#include <cstdint>

namespace nestling::guest {

using ByteHandler = void (*)(std::uint8_t byte);

/// From now on `take_byte` is called, with interrupts off, for each byte that arrives.
void start_input(ByteHandler take_byte);

}  // namespace nestling::guest
