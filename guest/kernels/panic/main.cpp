// Proves that a guest's own panic is reported as one.
#include "guest/kit/kernel.h"
#include "guest/kit/run_end.h"

int nestling::guest::kernel_main(const BootInfo& /*info*/) { panic("on purpose"); }
