// expect(): how a kernel states what must hold, in words that reach the console when it does not.
#pragma once

#include <string_view>

#include "guest/kit/console.h"
#include "guest/kit/run_end.h"
#include "guest/kit/start.h"

namespace nestling::guest {

/// Prints what was expected, with `things` in its `{}`, and ends the run with kStatusUnexpected
/// unless `condition` holds.
template <typename... Things>
void expect(bool condition, std::string_view expectation, const Things&... things) {
  if (!condition) {
    print("not as expected: ");
    print(expectation, things...);
    print("\n");
    end_run(kStatusUnexpected);
  }
}

}  // namespace nestling::guest
