// Symbols: which one an address is in, and how it is written.
#include "boot/symbols.h"

#include <string>

#include <gtest/gtest.h>

namespace nestling {
namespace {

using Kind = SymbolKind;

Symbol symbol(std::uint64_t start, std::uint64_t size, Kind kind, std::string_view name) {
  return {GuestVirtAddr(start), size, kind, name};
}

std::string at(const SymbolTable& table, std::uint64_t address) {
  return table.describe(GuestVirtAddr(address));
}

TEST(SymbolTable, KnowsNothingWhenEmpty) {
  const SymbolTable table;
  EXPECT_TRUE(table.is_empty());
  EXPECT_EQ(table.find(GuestVirtAddr(0)), std::nullopt);
  EXPECT_EQ(at(table, 0x1000), "");
}

TEST(SymbolTable, FindsTheFunctionFromItsFirstToItsLastByte) {
  const SymbolTable table({symbol(0x1000, 0x20, Kind::kFunction, "second"),
                           symbol(0x800, 0x10, Kind::kFunction, "first")});
  EXPECT_EQ(at(table, 0xfff), "");
  EXPECT_EQ(at(table, 0x1000), "second");
  EXPECT_EQ(at(table, 0x101f), "second+0x1f");
  EXPECT_EQ(at(table, 0x1020), "");
  EXPECT_EQ(at(table, 0x80f), "first+0xf");
  EXPECT_EQ(at(table, 0), "");
  EXPECT_EQ(at(table, ~0ULL), "");
}

TEST(SymbolTable, LetsASymbolOfUnknownSizeReachUpToTheNext) {
  const SymbolTable table(
      {symbol(0x1000, 0, Kind::kLabel, "start"), symbol(0x2000, 0x10, Kind::kFunction, "main")});
  EXPECT_EQ(at(table, 0x1fff), "start+0xfff");
  EXPECT_EQ(at(table, 0x2000), "main");
  EXPECT_EQ(at(table, 0x2010), "") << "behind main, which says where it ends";
}

TEST(SymbolTable, FindsEverySymbolOfAName) {
  const SymbolTable table({symbol(0x3000, 4, Kind::kObject, "count"),
                           symbol(0x1000, 4, Kind::kObject, "count"),
                           symbol(0x2000, 8, Kind::kFunction, "_ZN5guest4initEi"),
                           symbol(0x2800, 8, Kind::kFunction, "_ZN5guest4initEv"),
                           symbol(0x4000, 8, Kind::kObject, "counter")});
  const auto starts = [&](std::string_view name) {
    std::vector<std::uint64_t> found;
    for (const Symbol& each : table.named(name)) {
      found.push_back(each.start.value());
    }
    return found;
  };
  using Starts = std::vector<std::uint64_t>;
  EXPECT_EQ(starts("count"), (Starts{0x1000, 0x3000}));
  EXPECT_EQ(starts("guest::init"), (Starts{0x2000, 0x2800}));
  EXPECT_EQ(starts("guest::init(int)"), Starts{0x2000});
  EXPECT_EQ(starts("_ZN5guest4initEv"), Starts{0x2800});
  EXPECT_EQ(starts("init"), Starts{});
  EXPECT_EQ(starts("coun"), Starts{});
  EXPECT_EQ(starts(""), Starts{});
}

TEST(SymbolTable, PrefersTheFunctionToAnObjectAroundIt) {
  const SymbolTable table({symbol(0x1000, 0x100, Kind::kObject, "table"),
                           symbol(0x1000, 0x100, Kind::kFunction, "code"),
                           symbol(0x1080, 0x10, Kind::kObject, "constants")});
  EXPECT_EQ(at(table, 0x1000), "code");
  EXPECT_EQ(at(table, 0x1084), "code+0x84");
}

TEST(SymbolTable, PrefersTheInnerOfTwoFunctions) {
  const SymbolTable table({symbol(0x1000, 0x100, Kind::kFunction, "outer"),
                           symbol(0x1040, 0x10, Kind::kFunction, "inner")});
  EXPECT_EQ(at(table, 0x1048), "inner+0x8");
  EXPECT_EQ(at(table, 0x1050), "outer+0x50");
}

TEST(SymbolTable, PrefersTheFunctionToALabelInIt) {
  const SymbolTable table({symbol(0x1000, 0x100, Kind::kFunction, "function"),
                           symbol(0x1040, 0, Kind::kLabel, "retry")});
  EXPECT_EQ(at(table, 0x1048), "function+0x48");
}

TEST(SymbolTable, SurvivesSymbolsThatWrapAndRepeat) {
  std::vector<Symbol> symbols;
  for (std::uint64_t index = 0; index < 10'000; ++index) {
    symbols.push_back(symbol(~0ULL - index % 7, ~0ULL, Kind::kFunction, "top"));
    symbols.push_back(symbol(index % 3, ~0ULL, Kind::kObject, "bottom"));
  }
  const SymbolTable table(std::move(symbols));
  EXPECT_EQ(at(table, ~0ULL), "top");
  EXPECT_EQ(at(table, 0), "bottom");
  EXPECT_EQ(at(table, ~0ULL - 10).substr(0, 6), "bottom");
}

TEST(SymbolTable, AnswersIndependentlyOfTheOrderInTheFile) {
  const Symbol one = symbol(0x1000, 0x10, Kind::kFunction, "alias_a");
  const Symbol other = symbol(0x1000, 0x10, Kind::kFunction, "alias_b");
  EXPECT_EQ(at(SymbolTable({one, other}), 0x1008), at(SymbolTable({other, one}), 0x1008));
}

TEST(SymbolTable, WritesNamesThatCannotSteerATerminal) {
  const SymbolTable table({symbol(0x1000, 0x10, Kind::kFunction, "\x1b[2J\xc2\x9b\n\x7f")});
  EXPECT_EQ(at(table, 0x1000), "?[2J????");
}

TEST(Demangled, ReadsAsCppDoes) {
  EXPECT_EQ(demangled("_Z9crash_nowv"), "crash_now()");
  EXPECT_EQ(demangled("_ZN9nestling5Table4findEm"), "_ZN9nestling5Table4findEm") << "malformed";
  EXPECT_EQ(demangled("_ZN8nestling5Table4findEm"), "nestling::Table::find(unsigned long)");
  EXPECT_EQ(demangled("crash_now"), "crash_now");
  EXPECT_EQ(demangled("i"), "i") << "not the type int";
  EXPECT_EQ(demangled(""), "");
}

TEST(Demangled, LeavesANameThatWouldBlowUpAsItStands) {
  // Each parameter is a pair of the one before: twice as long every time.
  std::string bomb = "_Z1fP1AIS_S_E";
  for (int level = 0; level < 30; ++level) {
    bomb += "S0_IS_S_E";
  }
  EXPECT_EQ(demangled(bomb), bomb);
  const std::string long_name = "_Z2000" + std::string(2000, 'a') + "v";
  EXPECT_EQ(demangled(long_name), long_name);
  const std::string deep = "_Z1f" + std::string(900, 'P') + "i";
  EXPECT_FALSE(demangled(deep).empty());
}

}  // namespace
}  // namespace nestling
