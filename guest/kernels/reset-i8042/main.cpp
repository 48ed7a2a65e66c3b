// Proves that a reset through the keyboard controller ends the run as one.
#include "guest/kit/kernel.h"
#include "guest/kit/run_end.h"
#include "guest/kit/x86_64/ports.h"

int nestling::guest::kernel_main(const BootInfo& /*info*/) {
  x86_64::out(x86_64::Port{kPortI8042Command}, kI8042Reset);
  halt_forever();
}
