// Sequences of operations on an address space, held against the flat model of its pages.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <span>
#include <vector>

#include "tests/support/address_space_model.h"

namespace {

using nestling::testing::ModelSetup;
using nestling::testing::SpaceOperation;

/// Bytes of one operation. Any byte is something, so seeds can be text: kind, page (two), count
/// (two), host, rights and names, and how the numbers are rounded.
constexpr std::size_t kBytes = 8;
constexpr std::size_t kMostOperations = 96;

/// Two bytes, low first.
std::uint64_t number_from(std::span<const std::uint8_t> bytes) {
  return std::uint64_t{bytes[0]} | std::uint64_t{bytes[1]} << 8;
}

SpaceOperation operation_from(std::span<const std::uint8_t> bytes, std::uint64_t pages) {
  SpaceOperation operation;
  operation.kind = static_cast<SpaceOperation::Kind>(bytes[0] % SpaceOperation::kKinds);
  operation.page = static_cast<std::uint32_t>(number_from(bytes.subspan(1)) % (pages + 2));
  operation.count = static_cast<std::uint32_t>(number_from(bytes.subspan(3)) % (pages + 2));
  operation.host = bytes[5] * 8U;
  operation.choice = bytes[6];
  if ((bytes[7] & 1U) != 0) {  // whole pages of 2 MiB
    operation.page = operation.page / 512 * 512;
    operation.count = operation.count / 512 * 512;
    operation.host = operation.host / 512 * 512;
  }
  if ((bytes[7] & 6U) == 0) {  // small changes are where it hurts
    operation.count %= 8;
  }
  return operation;
}

}  // namespace

// NOLINTNEXTLINE(readability-identifier-naming): the fuzzing library's name.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::span<const std::uint8_t> input(data, size);
  if (input.size() < 2) {
    return 0;
  }
  ModelSetup setup = nestling::testing::small_setup(
      nestling::kStage2Kinds.at(input[0] % nestling::kStage2Kinds.size()));
  setup.fault_granule = nestling::kPageSize << (input[1] % 10);
  if ((input[1] & 0x80U) != 0) {
    setup.limit = std::uint64_t{input[1] & 0x7fU} * 8 * nestling::kPageSize;
  }
  const std::uint64_t pages = setup.range.size() / nestling::kPageSize;
  std::vector<SpaceOperation> operations;
  for (input = input.subspan(2); input.size() >= kBytes && operations.size() < kMostOperations;
       input = input.subspan(kBytes)) {
    operations.push_back(operation_from(input.first(kBytes), pages));
  }
  if (const auto failure = nestling::testing::run_against_model(setup, operations)) {
    std::fprintf(stderr, "%s\n", failure->c_str());
    std::abort();
  }
  return 0;
}
