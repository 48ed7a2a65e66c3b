// The list of guest kernels that the build writes: which architectures each is for.
#include <fstream>

#include <nlohmann/json.hpp>

#include "tests/program/program_test.h"

namespace nestling::testing {

bool has_kernel(const std::string& name) {
  std::ifstream file(NESTLING_KERNEL_LIST);
  const auto list = nlohmann::json::parse(file, nullptr, /*allow_exceptions=*/false);
  if (!list.is_object() || !list.contains(name)) {
    ADD_FAILURE() << name << " is not in " << NESTLING_KERNEL_LIST;
    return false;
  }
  const auto& facts = list[name];
  if (facts.value("only", architecture()) == architecture()) {
    return true;
  }
  [&] { GTEST_SKIP() << "no kernel " << name << ": " << facts.value("because", ""); }();
  return false;
}

}  // namespace nestling::testing
