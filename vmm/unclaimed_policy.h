// UnclaimedPolicy: what becomes of a run whose guest touches what nobody gave it.
#pragma once

#include <cstdint>

namespace nestling {

/// What happens on an access that no device claims, or that memory's rights deny: it reads all
/// ones, or is discarded, and is counted; and then?
enum class UnclaimedPolicy : std::uint8_t { kGoOn, kStop };

}  // namespace nestling
