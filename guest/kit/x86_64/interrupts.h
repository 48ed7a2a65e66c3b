// Handlers for exceptions and interrupts: what is installed here runs, the rest is a panic that
// prints the frame.
#pragma once

#include <string_view>

#include "guest/kit/interrupts.h"
#include "guest/kit/x86_64/frame.h"

namespace nestling::guest::x86_64 {

/// Called with interrupts off. Returning goes back to where `frame` then says.
using Handler = void (*)(Frame& frame);

/// `handler` runs from now on for `vector`; nullptr stands for give_up(). Returns the one before.
Handler set_handler(Vector vector, Handler handler);

/// "#GP general protection" and so on; "interrupt" from vector 32 on.
[[nodiscard]] std::string_view vector_name(std::uint64_t vector);

/// Prints all of `frame` and CR2.
void print_frame(const Frame& frame);

/// Prints `frame` as that of an exception nobody handles, and panics.
[[noreturn]] void give_up(const Frame& frame);

}  // namespace nestling::guest::x86_64
