// What the tests of the address space's operations share: a space that must be sound in the end.
#pragma once

#include <gtest/gtest.h>

#include "addrspace/address_space.h"
#include "tests/support/space_fixture.h"

namespace nestling {

struct AddressSpaceTest : ::testing::Test, testing::SpaceFixture {
  void TearDown() override {
    if (space) {
      EXPECT_EQ(space->defect(), std::nullopt);
    }
  }
};

[[nodiscard]] inline SpaceError::Reason reason_of(const Result<void, SpaceError>& result) {
  return result.error().reason;
}

}  // namespace nestling
