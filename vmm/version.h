// The program's version, as CMake states it.
#pragma once

namespace nestling {

inline constexpr const char* kVersion = NESTLING_VERSION;

}  // namespace nestling
