// What is left of the host's memory, read from made-up files.
#include "vmm/memory/host_memory.h"

#include <gtest/gtest.h>

#include "tests/support/temporary_folder.h"

namespace nestling {
namespace {

constexpr std::uint64_t kMiB = 1ULL << 20;

class HostMemoryTest : public ::testing::Test {
 protected:
  void put(const std::string& path, const std::string& text) const { folder_.write(path, text); }
  void put_host(const std::string& available) const {
    put("proc/meminfo", "MemTotal:        8388608 kB\nMemFree:          10 kB\nMemAvailable:    " +
                            available + " kB\nSwapFree:        0 kB\n");
  }
  [[nodiscard]] std::optional<HostRoom> room() const {
    return HostMemory(folder_.path().string()).room();
  }

  testing::TemporaryFolder folder_;
};

TEST_F(HostMemoryTest, IsWhatTheHostHasAvailable) {
  put_host("4194304");
  const auto found = room();
  ASSERT_TRUE(found);
  EXPECT_EQ(found->bytes, 4096 * kMiB);
  EXPECT_EQ(found->reserve, 512 * kMiB);
  EXPECT_EQ(found->whose, "the host");
  EXPECT_FALSE(found->is_short());
}

TEST_F(HostMemoryTest, IsShortBelowTheReserve) {
  put_host("500000");
  EXPECT_TRUE(room()->is_short());
  EXPECT_EQ(shortage_words(*room(), 3000 * kMiB),
            "the host runs out of memory: 488 MiB are left, with 3000 MiB of the guest's resident; "
            "give the guest less to use, or cap it with --memory-limit");
}

TEST_F(HostMemoryTest, IsTheScarcestOfAllControlGroupsAbove) {
  put_host("4194304");
  put("proc/self/cgroup", "0::/a/b\n");
  put("sys/fs/cgroup/a/memory.max", "1073741824\n");
  put("sys/fs/cgroup/a/memory.current", "943718400\n");
  put("sys/fs/cgroup/a/memory.stat", "anon 1\ninactive_file 104857600\n");
  put("sys/fs/cgroup/a/b/memory.max", "max\n");
  put("sys/fs/cgroup/a/b/memory.current", "943718400\n");
  const auto found = room();
  ASSERT_TRUE(found);
  EXPECT_EQ(found->whose, "the control group /a");
  EXPECT_EQ(found->bytes, (1024 - 900 + 100) * kMiB);
  EXPECT_EQ(found->reserve, 64 * kMiB);
}

TEST_F(HostMemoryTest, IsUnknownWhereNothingCanBeRead) { EXPECT_FALSE(room()); }

TEST_F(HostMemoryTest, CountsAGroupOverItsLimitAsEmpty) {
  put("proc/self/cgroup", "0::/a\n");
  put("sys/fs/cgroup/a/memory.max", "1000\n");
  put("sys/fs/cgroup/a/memory.current", "2000\n");
  EXPECT_EQ(room()->bytes, 0U);
  EXPECT_TRUE(room()->is_short());
}

}  // namespace
}  // namespace nestling
