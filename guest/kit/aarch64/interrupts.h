// Handlers for exceptions and interrupts: what is installed here runs, the rest is a panic that
// prints the frame.
#pragma once

#include <string_view>

#include "guest/kit/aarch64/frame.h"
#include "guest/kit/interrupts.h"

namespace nestling::guest::aarch64 {

/// Called with interrupts off. Returning goes back to where `frame` then says.
using Handler = void (*)(Frame& frame);

/// `handler` runs from now on for synchronous exceptions of this class; nullptr stands for
/// give_up(). Returns the one before.
Handler set_handler(ExceptionClass exception, Handler handler);

/// `handler` runs from now on for every IRQ.
void set_interrupt_handler(Handler handler);

/// "data abort", "BRK instruction" and so on.
[[nodiscard]] std::string_view class_name(ExceptionClass exception);

/// Prints all of `frame`.
void print_frame(const Frame& frame);

/// Prints `frame` as that of an exception nobody handles, and panics.
[[noreturn]] void give_up(const Frame& frame);

}  // namespace nestling::guest::aarch64
