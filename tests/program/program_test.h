// What the tests of the real program share: running a guest kernel with it, where KVM is usable.
#pragma once

#include <fcntl.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "base/file_descriptor.h"
#include "tests/support/program.h"
#include "tests/support/time_scale.h"

namespace nestling::testing {

/// Where the build put the program and the kernels. The test's results say which kernels it used.
inline std::string program_path() { return NESTLING_PROGRAM; }
inline std::string kernel_path(const std::string& name) {
  ::testing::Test::RecordProperty("kernel." + name, "used");
  return std::string(NESTLING_GUESTS "/") + name;
}

/// The architecture of the program and of the kernels, as the words that messages use for it.
inline std::string architecture() { return NESTLING_ARCHITECTURE; }
inline bool is_arm64() { return architecture() == "aarch64"; }

/// True when this architecture has the kernel `name`. Where it has not, the test that asks is
/// skipped, for the reason that guest/CMakeLists.txt gives.
bool has_kernel(const std::string& name);

/// Runs `call`, which must at least start.
inline ProgramEnd end_of(const ProgramCall& call) {
  auto end = run_program(call);
  if (!end) {
    ADD_FAILURE() << end.error().message;
    return {};
  }
  EXPECT_FALSE(end->timed_out) << "killed; so far it said:\n" << end->output << end->errors;
  return *std::move(end);
}

/// `nestling` with these arguments, and `input` on its standard input.
inline ProgramEnd nestling(std::vector<std::string> arguments, std::string input = {}) {
  ProgramCall call;
  call.path = program_path();
  call.arguments = std::move(arguments);
  call.input = std::move(input);
  return end_of(call);
}

/// What `nestling run` is told for the guest kernel `name`. A guest that does not end ends the
/// test.
inline std::vector<std::string> run_arguments(const std::string& name,
                                              const std::vector<std::string>& options = {}) {
  std::vector<std::string> arguments = {"run", kernel_path(name), "--timeout",
                                        std::to_string(20 * time_scale()) + "s"};
  arguments.insert(arguments.end(), options.begin(), options.end());
  return arguments;
}

/// A test that boots guests: skipped where KVM is not usable.
class GuestTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const UniqueFd kvm(open("/dev/kvm", O_RDWR | O_CLOEXEC));
    if (!kvm) {
      GTEST_SKIP() << "/dev/kvm cannot be opened: " << std::strerror(errno);
    }
    RecordProperty("boots", "the kernels recorded");
  }

  /// The guest kernel `name`, run to its end.
  static ProgramEnd run(const std::string& name, const std::vector<std::string>& options = {},
                        std::string input = {}) {
    return nestling(run_arguments(name, options), std::move(input));
  }
};

/// Expects that `end` has this exit code; everything the program said is in the message if not.
inline void expect_exit_code(const ProgramEnd& end, int exit_code) {
  EXPECT_EQ(end.exit_code, exit_code) << "signal " << end.signal << "\n"
                                      << end.output << end.errors;
}

inline void expect_contains(const std::string& text, const std::string& part) {
  EXPECT_NE(text.find(part), std::string::npos) << "\"" << part << "\" is not in:\n" << text;
}

}  // namespace nestling::testing
