// The debug console: what is written appears, a read says that it is there.
#include "devices/debug_console.h"

#include <gtest/gtest.h>

#include "tests/support/fake_byte_sink.h"

namespace nestling {
namespace {

TEST(DebugConsole, SendsEachByteWrittenToItsOutput) {
  FakeByteSink output;
  DebugConsole console(output);
  console.write(0, AccessWidth::of(1), 'h');
  console.write(0, AccessWidth::of(1), 'i');
  EXPECT_EQ(output.text(), "hi");
}

TEST(DebugConsole, SendsTheBytesOfAWideWriteLowestFirst) {
  FakeByteSink output;
  DebugConsole console(output);
  console.write(0, AccessWidth::of(4), 0x64636261);
  EXPECT_EQ(output.text(), "abcd");
}

TEST(DebugConsole, IsRecognisedByReadingItsPortNumber) {
  FakeByteSink output;
  DebugConsole console(output);
  EXPECT_EQ(console.read(0, AccessWidth::of(1)), 0xe9U);
  EXPECT_EQ(output.text(), "");
}

}  // namespace
}  // namespace nestling
