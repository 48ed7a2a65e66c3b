// Flat images: one segment, wherever the user says.
#include "boot/flat_image.h"

#include <gtest/gtest.h>

#include "tests/support/elf_builder.h"

namespace nestling {
namespace {

TEST(FlatImage, IsOneSegmentEnteredAtItsStart) {
  const auto bytes = counting_bytes(0x234);
  const auto image = make_flat_image(bytes, GuestPhysAddr(0x7c00), Architecture::kX86_64);
  ASSERT_TRUE(image);
  EXPECT_EQ(image->format, ImageFormat::kFlat);
  EXPECT_EQ(image->entry, GuestPhysAddr(0x7c00));
  ASSERT_EQ(image->segments.size(), 1U);
  EXPECT_EQ(image->segments[0].memory, GuestPhysRange::of(GuestPhysAddr(0x7c00), 0x234));
  EXPECT_EQ(image->segments[0].file.data(), bytes.data());
  EXPECT_EQ(image->segments[0].access, Access::all());
}

TEST(FlatImage, MayEndAtTheTopOfTheAddressSpaceButNotWrap) {
  const auto bytes = counting_bytes(16);
  const GuestPhysAddr top(~std::uint64_t{0} - 15);
  EXPECT_TRUE(make_flat_image(bytes, top, Architecture::kX86_64));
  const auto wrapped = make_flat_image(bytes, top + 1, Architecture::kX86_64);
  ASSERT_FALSE(wrapped);
  EXPECT_EQ(wrapped.error().kind, ErrorKind::kBadImage);
  EXPECT_EQ(wrapped.error().message, "0x10 bytes at 0xfffffffffffffff1 wrap around");
}

TEST(FlatImage, IsRefusedWithoutBytes) {
  const auto image = make_flat_image({}, GuestPhysAddr(0x1000), Architecture::kX86_64);
  ASSERT_FALSE(image);
  EXPECT_EQ(image.error().kind, ErrorKind::kBadImage);
}

}  // namespace
}  // namespace nestling
