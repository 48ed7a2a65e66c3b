// A flat model of an address space, one record a page, and runs of random operations against it.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "tests/support/space_operation.h"

namespace nestling::testing {

/// Makes the operations one by one. After each one every page of the space must answer as the model
/// does, and at the end nothing may have leaked. The first difference, with the number of the
/// operation, or nothing.
[[nodiscard]] std::optional<std::string> run_against_model(
    const ModelSetup& setup, std::span<const SpaceOperation> operations);

/// The shortest sequence found that still fails, by leaving operations out.
[[nodiscard]] std::vector<SpaceOperation> shrink(const ModelSetup& setup,
                                                 std::vector<SpaceOperation> operations);

}  // namespace nestling::testing
