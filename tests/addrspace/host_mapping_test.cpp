// Host mappings: zeroed, aligned, shared or of a file, and gone with their owner.
#include "addrspace/host_mapping.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include <gtest/gtest.h>

#include "addrspace/address.h"
#include "base/file_descriptor.h"

namespace nestling {
namespace {

constexpr std::uint64_t kTwoMegabytes = 2ULL << 20;

bool is_mapped(const std::byte* page) {
  unsigned char resident = 0;
  return mincore(const_cast<std::byte*>(page), 1, &resident) == 0;
}

TEST(HostMapping, IsZeroedAndAlignedAsAsked) {
  const auto mapping = HostMapping::anonymous(kTwoMegabytes + 0x1000, kTwoMegabytes);
  ASSERT_TRUE(mapping);
  const auto bytes = mapping->bytes();
  EXPECT_EQ(bytes.size(), kTwoMegabytes + 0x1000);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(bytes.data()) % kTwoMegabytes, 0U);
  EXPECT_TRUE(
      std::all_of(bytes.begin(), bytes.end(), [](std::byte b) { return b == std::byte{}; }));
}

TEST(HostMapping, RefusesWhatNoHostHasRoomFor) {
  for (const std::uint64_t size : {0ULL, 1ULL << 62, ~0ULL & ~0xfffULL}) {
    const auto mapping = HostMapping::anonymous(size, kTwoMegabytes);
    ASSERT_FALSE(mapping) << size;
    EXPECT_EQ(mapping.error().kind, ErrorKind::kHostRefused);
  }
}

TEST(HostMapping, GoesWithItsOwner) {
  const std::byte* page = nullptr;
  {
    auto mapping = HostMapping::anonymous(0x1000, 0x1000);
    ASSERT_TRUE(mapping);
    page = mapping->bytes().data();
    EXPECT_TRUE(is_mapped(page));
    const HostMapping taker = std::move(*mapping);
    EXPECT_EQ(taker.bytes().data(), page);
    EXPECT_TRUE(is_mapped(page));
  }
  EXPECT_FALSE(is_mapped(page));
}

TEST(HostMapping, UnmapsWhatAnAssignmentReplaces) {
  auto first = HostMapping::anonymous(0x1000, 0x1000);
  auto second = HostMapping::anonymous(0x1000, 0x1000);
  ASSERT_TRUE(first && second);
  const std::byte* const replaced = first->bytes().data();
  const std::byte* const kept = second->bytes().data();
  *first = std::move(*second);
  EXPECT_FALSE(is_mapped(replaced));
  EXPECT_TRUE(is_mapped(kept));
  EXPECT_EQ(first->bytes().data(), kept);
}

TEST(HostMapping, SharesAFileWithOtherMappingsOfIt) {
  const UniqueFd file(memfd_create("host-mapping-test", MFD_CLOEXEC));
  ASSERT_EQ(ftruncate(file.get(), 0x2000), 0);
  const auto one = HostMapping::shared(file.get(), 0x2000, kTwoMegabytes);
  const auto other = HostMapping::shared(file.get(), 0x2000, kPageSize);
  ASSERT_TRUE(one && other);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(one->bytes().data()) % kTwoMegabytes, 0U);
  one->bytes()[0x1fff] = std::byte{0x5a};
  EXPECT_EQ(other->bytes()[0x1fff], std::byte{0x5a});
}

TEST(HostMapping, KeepsTheCopyOfAFileThatIsShortenedLater) {
  const UniqueFd file(memfd_create("host-mapping-test", MFD_CLOEXEC));
  const std::string text(0x2345, 'k');
  ASSERT_TRUE(write_all(file.get(), std::as_bytes(std::span(text))));
  const auto copy = HostMapping::copy_of(file.get(), text.size());
  ASSERT_TRUE(copy) << copy.error().message;
  ASSERT_EQ(ftruncate(file.get(), 0), 0);
  ASSERT_EQ(copy->bytes().size(), text.size());
  EXPECT_TRUE(std::ranges::equal(copy->bytes(), std::as_bytes(std::span(text))));
}

TEST(HostMapping, RefusesToCopyMoreThanAFileHas) {
  const UniqueFd file(memfd_create("host-mapping-test", MFD_CLOEXEC));
  ASSERT_EQ(ftruncate(file.get(), 0x1800), 0);
  const auto copy = HostMapping::copy_of(file.get(), 0x2000);
  ASSERT_FALSE(copy);
  EXPECT_EQ(copy.error().message,
            "the file ended after 0x1800 of its 0x2000 bytes while it was read");
}

TEST(HostMapping, RefusesAFileThatIsNotOpen) {
  const auto mapping = HostMapping::copy_of(-1, 0x1000);
  ASSERT_FALSE(mapping);
  EXPECT_NE(mapping.error().message.find("Bad file descriptor"), std::string_view::npos);
}

}  // namespace
}  // namespace nestling
