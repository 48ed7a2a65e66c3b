// Tests of what few hosts have.
#pragma once

#include <string>

#include <gtest/gtest.h>

namespace nestling::testing {

/// Says of the current test, before it skips itself, that it may do so everywhere: no host and no
/// bed need have what it takes. scripts/test fails any other test that ran nowhere.
inline void may_run_nowhere(const std::string& why) {
  ::testing::Test::RecordProperty("may_run_nowhere", why);
}

/// Why no test of the path `fault` need run.
inline const char* const kFewHaveMemoryFaults =
    "memory-fault exits for ordinary VMs need a kernel with guest_memfd, and Debian 12 has none";

}  // namespace nestling::testing
