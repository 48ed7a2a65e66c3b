// The doctor where there is no KVM: its exit code, its words and its JSON.
#include "vmm/doctor_command.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/support/temporary_folder.h"

namespace nestling {
namespace {

DoctorOptions options_for(std::string device, DoctorFormat format = DoctorFormat::kText) {
  DoctorOptions options;
  options.format = format;
  options.device = std::move(device);
  return options;
}

struct Printed {
  int exit_code = 0;
  std::string text;
};

Printed print(const DoctorOptions& options) {
  ::testing::internal::CaptureStdout();
  const int code = doctor(options);
  return {.exit_code = code, .text = ::testing::internal::GetCapturedStdout()};
}

TEST(Doctor, ExitsWith69WhereTheDeviceIsMissing) {
  const testing::TemporaryFolder folder;
  const Printed printed = print(options_for(folder.file("kvm")));
  EXPECT_EQ(printed.exit_code, 69);
  EXPECT_NE(printed.text.find("BAD   device        " + folder.file("kvm") +
                              ": No such file or directory\n                      -> "),
            std::string::npos)
      << printed.text;
  EXPECT_NE(printed.text.find("\nNestling cannot run here.\n"), std::string::npos);
}

TEST(Doctor, PrintsJsonAlsoWhereTheDeviceIsNotKvm) {
  const Printed printed = print(options_for("/dev/null", DoctorFormat::kJson));
  EXPECT_EQ(printed.exit_code, 69);
  const auto json = nlohmann::json::parse(printed.text, nullptr, false);
  ASSERT_FALSE(json.is_discarded()) << printed.text;
  EXPECT_EQ(json["can_run"], false);
  EXPECT_EQ(json["device"]["problem"], "not-kvm");
  EXPECT_GT(json["host"]["memory_bytes"], 0);
}

}  // namespace
}  // namespace nestling
