// Tables of bit names; Arm Architecture Reference Manual, under the registers' names, and
// "VMSAv8-64 descriptor formats".
#include "vmm/aarch64/register_words.h"

#include <array>
#include <optional>
#include <string_view>

#include <fmt/core.h>

#include "addrspace/aarch64/stage1_format.h"
#include "vmm/aarch64/cpu_state.h"
#include "vmm/bit_names.h"

namespace nestling::aarch64 {

namespace {

using stage1::field;

constexpr std::array kConditionNames =
    std::to_array<BitName>({{31, "N"}, {30, "Z"}, {29, "C"}, {28, "V"}});
constexpr std::array kMaskNames = std::to_array<BitName>({{9, "D"}, {8, "A"}, {7, "I"}, {6, "F"}});
constexpr std::array kOtherPstateNames = std::to_array<BitName>(
    {{20, "IL"}, {21, "SS"}, {22, "PAN"}, {23, "UAO"}, {24, "DIT"}, {25, "TCO"}, {12, "SSBS"}});

constexpr std::array kSctlrNames = std::to_array<BitName>(
    {{0, "M"},     {1, "A"},      {2, "C"},     {3, "SA"},      {4, "SA0"},     {5, "CP15BEN"},
     {6, "nAA"},   {7, "ITD"},    {8, "SED"},   {9, "UMA"},     {10, "EnRCTX"}, {11, "EOS"},
     {12, "I"},    {13, "EnDB"},  {14, "DZE"},  {15, "UCT"},    {16, "nTWI"},   {18, "nTWE"},
     {19, "WXN"},  {20, "TSCXT"}, {21, "IESB"}, {22, "EIS"},    {23, "SPAN"},   {24, "E0E"},
     {25, "EE"},   {26, "UCI"},   {27, "EnDA"}, {28, "nTLSMD"}, {29, "LSMAOE"}, {30, "EnIB"},
     {31, "EnIA"}, {57, "EPAN"}});

constexpr std::array kLeafNames = std::to_array<BitName>({{5, "NS"},
                                                          {6, "U"},
                                                          {7, "RO"},
                                                          {10, "AF"},
                                                          {11, "nG"},
                                                          {51, "DBM"},
                                                          {52, "contiguous"},
                                                          {53, "PXN"},
                                                          {54, "UXN"}});
constexpr std::array kTableNames = std::to_array<BitName>(
    {{59, "PXNTable"}, {60, "UXNTable"}, {61, "noEL0"}, {62, "ROTable"}, {63, "NSTable"}});

/// The names without blanks between: "NZ", "DAIF".
std::string letters(std::uint64_t& value, std::span<const BitName> names) {
  std::string text;
  for (const BitName& each : names) {
    const std::uint64_t bit = 1ULL << each.bit;
    if ((value & bit) != 0) {
      text += each.name;
      value &= ~bit;
    }
  }
  return text;
}

std::string mode_name(std::uint64_t pstate) {
  if ((pstate & kPstateAarch32) != 0) {
    return "AArch32";
  }
  switch (pstate & kPstateModeMask) {
    case kPstateEl0:
      return "EL0t";
    case kPstateEl1OnSpEl0:
      return "EL1t";
    case kPstateEl1OnSpEl1:
      return "EL1h";
    default:
      return fmt::format("mode {:#x}", pstate & kPstateModeMask);
  }
}

std::string half_words(std::uint64_t tcr, bool upper) {
  const bool disabled = field(tcr, upper ? 23 : 7, 1) != 0;
  const std::string name = upper ? "TTBR1" : "TTBR0";
  const auto granule = stage1::granule_bits(tcr, upper);
  if (disabled) {
    return name + " off";
  }
  if (!granule) {
    return name + " with a reserved granule";
  }
  return fmt::format("{} {} bits in {} KiB pages", name, 64 - field(tcr, upper ? 16 : 0, 6),
                     1U << (*granule - 10));
}

}  // namespace

std::string describe_pstate(std::uint64_t pstate) {
  std::string text = mode_name(pstate);
  std::uint64_t rest = pstate & ~(kPstateModeMask | kPstateAarch32);
  const std::string condition = letters(rest, kConditionNames);
  const std::string masked = letters(rest, kMaskNames);
  if (!masked.empty()) {
    text += fmt::format(" {} masked", masked);
  }
  append_word(text, condition);
  append_word(text, all_names(rest, kOtherPstateNames));
  return text;
}

std::string sctlr_flags(std::uint64_t sctlr) { return all_names(sctlr, kSctlrNames); }

std::string describe_tcr(std::uint64_t tcr) {
  return fmt::format("{}, {}, output {} bits", half_words(tcr, false), half_words(tcr, true),
                     stage1::output_bits(field(tcr, 32, 3)));
}

std::string descriptor_flags(std::uint64_t descriptor, DescriptorRole role) {
  if (role == DescriptorRole::kTable) {
    std::string words = "table";
    const std::string flags = take_names(descriptor, kTableNames);
    return flags.empty() ? words : words + " " + flags;
  }
  std::string words = take_names(descriptor, kLeafNames);
  constexpr std::array<std::string_view, 4> kShareability = {"", "SH=1", "outer-shareable",
                                                             "inner-shareable"};
  const std::string_view shareability = kShareability.at(field(descriptor, 8, 2));
  if (!shareability.empty()) {
    append_word(words, shareability);
  }
  append_word(words, fmt::format("attributes {}", field(descriptor, 2, 3)));
  return words;
}

}  // namespace nestling::aarch64
