// Checking an image against the machine's RAM, and copying it there.
#pragma once

#include <cstdint>
#include <span>

#include "addrspace/guest_memory.h"
#include "base/result.h"
#include "boot/image.h"

namespace nestling {

/// What stands in RAM before an image is loaded.
enum class RamContents : std::uint8_t {
  kZeros,    ///< fresh from the host: zeros need not be written, their pages stay untouched
  kAnything  ///< used before
};

/// Fails with kBadImage when a segment lies outside every range of `ram` or two segments overlap;
/// the message starts with the image's name and gives both sides' numbers.
[[nodiscard]] Result<void> check_segments(const Image& image, std::span<const GuestPhysRange> ram);

/// Copies every segment's file bytes and zeroes the rest of it. The image has passed
/// check_segments. Fails with kHostRefused where `memory` has no byte to give.
[[nodiscard]] Result<void> load_segments(const Image& image, RamContents contents,
                                         GuestMemory& memory);

/// `fault`, met while Nestling itself wrote what the word `what` says, as an error for a person.
[[nodiscard]] Error load_error(std::string_view what, const MemoryFault& fault);

}  // namespace nestling
