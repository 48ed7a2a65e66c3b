// Tables of bit names; Intel SDM volume 3, "Control Registers", and AMD APM volume 2 for EFER.
#include "vmm/x86_64/flag_names.h"

#include <array>
#include <span>
#include <string_view>

#include <fmt/core.h>

#include "vmm/bit_names.h"

namespace nestling::x86_64 {

namespace {

constexpr std::array kCr0Names = std::to_array<BitName>({{0, "PE"},
                                                         {1, "MP"},
                                                         {2, "EM"},
                                                         {3, "TS"},
                                                         {4, "ET"},
                                                         {5, "NE"},
                                                         {16, "WP"},
                                                         {18, "AM"},
                                                         {29, "NW"},
                                                         {30, "CD"},
                                                         {31, "PG"}});

constexpr std::array kCr4Names = std::to_array<BitName>(
    {{0, "VME"},         {1, "PVI"},    {2, "TSD"},      {3, "DE"},    {4, "PSE"},
     {5, "PAE"},         {6, "MCE"},    {7, "PGE"},      {8, "PCE"},   {9, "OSFXSR"},
     {10, "OSXMMEXCPT"}, {11, "UMIP"},  {12, "LA57"},    {13, "VMXE"}, {14, "SMXE"},
     {16, "FSGSBASE"},   {17, "PCIDE"}, {18, "OSXSAVE"}, {19, "KL"},   {20, "SMEP"},
     {21, "SMAP"},       {22, "PKE"},   {23, "CET"},     {24, "PKS"}});

constexpr std::array kEferNames = std::to_array<BitName>(
    {{0, "SCE"}, {8, "LME"}, {10, "LMA"}, {11, "NXE"}, {12, "SVME"}, {13, "LMSLE"}, {14, "FFXSR"}});

constexpr std::array kRflagsNames = std::to_array<BitName>({{0, "CF"},
                                                            {2, "PF"},
                                                            {4, "AF"},
                                                            {6, "ZF"},
                                                            {7, "SF"},
                                                            {8, "TF"},
                                                            {9, "IF"},
                                                            {10, "DF"},
                                                            {11, "OF"},
                                                            {14, "NT"},
                                                            {16, "RF"},
                                                            {17, "VM"},
                                                            {18, "AC"},
                                                            {19, "VIF"},
                                                            {20, "VIP"},
                                                            {21, "ID"}});

constexpr std::array kEntryNames = std::to_array<BitName>({{0, "P"},
                                                           {1, "W"},
                                                           {2, "U"},
                                                           {3, "PWT"},
                                                           {4, "PCD"},
                                                           {5, "A"},
                                                           {6, "D"},
                                                           {7, "PS"},
                                                           {8, "G"},
                                                           {63, "NX"}});

}  // namespace

std::string cr0_flags(std::uint64_t cr0) { return all_names(cr0, kCr0Names); }
std::string cr4_flags(std::uint64_t cr4) { return all_names(cr4, kCr4Names); }
std::string efer_flags(std::uint64_t efer) { return all_names(efer, kEferNames); }

std::string rflags_flags(std::uint64_t rflags) {
  constexpr std::uint64_t kAlwaysSet = 2;
  constexpr std::uint64_t kIoPrivilege = 3ULL << 12;
  const std::uint64_t io_privilege = (rflags & kIoPrivilege) >> 12;
  std::string words = all_names(rflags & ~(kAlwaysSet | kIoPrivilege), kRflagsNames);
  if (io_privilege != 0) {
    append_word(words, fmt::format("IOPL={}", io_privilege));
  }
  return words;
}

std::string entry_flags(std::uint64_t entry, EntryRole role) {
  constexpr std::uint64_t kPageAttribute = 1ULL << 7;
  constexpr std::uint64_t kDirtyAndGlobal = (1ULL << 6) | (1ULL << 8);
  if (role == EntryRole::kTable) {
    entry &= ~kDirtyAndGlobal;
  }
  // In an entry that maps 4 KiB, the bit of PS selects the memory type.
  const bool attribute = role == EntryRole::kSmallPage && (entry & kPageAttribute) != 0;
  if (attribute) {
    entry &= ~kPageAttribute;
  }
  std::string words = take_names(entry, kEntryNames);
  if (attribute) {
    append_word(words, "PAT");
  }
  return words;
}

}  // namespace nestling::x86_64
