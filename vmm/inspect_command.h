// `nestling inspect`: says what a kernel file is and whether it would boot, without booting it.
#pragma once

#include <cstdint>
#include <string>

#include "boot/open_image.h"
#include "vmm/native.h"

namespace nestling {

struct InspectOptions {
  ImageSource image;
  std::uint64_t memory_size = 128ULL << 20;  ///< bytes of RAM of the machine it would boot on
  /// Of the machine it would boot on.
  Architecture architecture = native_architecture();
  bool json = false;
};

/// What the command prints and returns.
struct InspectResult {
  std::string output;  ///< for standard output
  std::string error;   ///< for standard error; empty when all is said in `output`
  int exit_code = 0;
};

/// Makes the checks that `nestling run` makes. The exit code is 0 when the image would boot, 65
/// when not (the output then says why), 66 when it cannot be read, 64 for an impossible memory
/// size.
[[nodiscard]] InspectResult inspect_image(const InspectOptions& options);

/// inspect_image, printed; 71 when standard output cannot be written.
[[nodiscard]] int inspect(const InspectOptions& options);

}  // namespace nestling
