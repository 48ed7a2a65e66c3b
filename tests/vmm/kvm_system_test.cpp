// What is said about a KVM device that cannot be used.
#include "vmm/kvm_system.h"

#include <gtest/gtest.h>

namespace nestling {
namespace {

TEST(KvmSystem, SaysThatTheDeviceIsMissing) {
  const auto kvm = KvmSystem::open("/nonexistent/kvm");
  ASSERT_FALSE(kvm);
  EXPECT_EQ(kvm.error().kind, ErrorKind::kNoKvm);
  EXPECT_NE(kvm.error().message.find("/nonexistent/kvm"), std::string::npos);
  EXPECT_NE(kvm.error().message.find("To mend it"), std::string::npos);
}

TEST(KvmSystem, RefusesADeviceThatIsNotKvm) {
  const auto kvm = KvmSystem::open("/dev/null");
  ASSERT_FALSE(kvm);
  EXPECT_EQ(kvm.error().kind, ErrorKind::kNoKvm);
  EXPECT_NE(kvm.error().message.find("not a KVM device"), std::string::npos);
}

}  // namespace
}  // namespace nestling
