// Hostile text: what a terminal could obey is shown as bytes.
#include "vmm/printable_text.h"

#include <gtest/gtest.h>

namespace nestling {
namespace {

TEST(PrintableText, PassesVisibleCharacters) {
  EXPECT_EQ(printable("Hello, Wörld ✓ 🐦 \"\\"), "Hello, Wörld ✓ 🐦 \"\\");
  EXPECT_EQ(printable(""), "");
}

TEST(PrintableText, ShowsControlCharactersAsBytes) {
  EXPECT_EQ(printable("\x1b[31mred\a\n\t"), "\\x1b[31mred\\x07\\x0a\\x09");
  EXPECT_EQ(printable(std::string_view("a\0b", 3)), "a\\x00b");
  EXPECT_EQ(printable("\x7f"), "\\x7f");
  // U+009B, which some terminals take for ESC [.
  EXPECT_EQ(printable("\xc2\x9b"), "\\xc2\\x9b");
}

TEST(PrintableText, ShowsWhatIsNotUtf8AsBytes) {
  EXPECT_EQ(printable("\xff\xfe"), "\\xff\\xfe");
  EXPECT_EQ(printable("\x80z"), "\\x80z");
  EXPECT_EQ(printable("\xc3"), "\\xc3");
  EXPECT_EQ(printable("\xc3("), "\\xc3(");
  EXPECT_EQ(printable("\xe2\x9c"), "\\xe2\\x9c");
  EXPECT_EQ(printable("\xc0\xaf"), "\\xc0\\xaf") << "overlong";
  EXPECT_EQ(printable("\xed\xa0\x80"), "\\xed\\xa0\\x80") << "surrogate";
  EXPECT_EQ(printable("\xf4\x90\x80\x80"), "\\xf4\\x90\\x80\\x80") << "above U+10FFFF";
}

TEST(PrintableText, ShowsMarksThatTurnTheWritingAsBytes) {
  EXPECT_EQ(printable("\xe2\x80\xae"), "\\xe2\\x80\\xae");
}

TEST(PrintableText, CutsLongTextBetweenCharacters) {
  EXPECT_EQ(printable("abcdef", 6), "abcdef");
  EXPECT_EQ(printable("abcdefg", 6), "abcdef…");
  EXPECT_EQ(printable("ab✓", 4), "ab…");
}

}  // namespace
}  // namespace nestling
