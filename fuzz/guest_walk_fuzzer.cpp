// Hostile page tables for every guest walk, through one stage and through two, and against the
// transcriptions of the manuals.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <span>

#include "addrspace/translate_virt.h"
#include "tests/support/guest_walk_oracle.h"

namespace nestling {
namespace {

/// The input as little-endian words; zeros when it has run out.
class Input {
 public:
  explicit Input(std::span<const std::uint8_t> bytes) : bytes_(bytes) {}

  std::uint64_t word() {
    std::uint64_t value = 0;
    const std::size_t size = std::min(bytes_.size(), sizeof value);
    std::memcpy(&value, bytes_.data(), size);
    bytes_ = bytes_.subspan(size);
    return value;
  }
  std::uint8_t byte() {
    if (bytes_.empty()) {
      return 0;
    }
    const std::uint8_t value = bytes_.front();
    bytes_ = bytes_.subspan(1);
    return value;
  }
  [[nodiscard]] bool is_empty() const { return bytes_.empty(); }

 private:
  std::span<const std::uint8_t> bytes_;
};

/// Guest memory whose every word is taken from the input when it is first looked at; where the
/// input has ended there is a hole. So a few words are tables of any depth, wherever they stand.
class HostileMemory final : public TableMemory, public Stage2 {
 public:
  HostileMemory(Input input, bool interferes) : input_(input), interferes_(interferes) {}

  /// The eight bytes around `address`, or null in a hole.
  std::uint64_t* word(std::uint64_t address) {
    check(++looks_ < kMaxLooks, "a walk that does not end");
    const auto found = words_.find(address & ~7ULL);
    if (found != words_.end()) {
      return &found->second;
    }
    if (input_.is_empty()) {
      return nullptr;
    }
    return &words_.emplace(address & ~7ULL, input_.word()).first->second;
  }
  std::span<std::byte> entry(EntryLocation location) {
    std::uint64_t* const found = word(location.address.value());
    if (found == nullptr) {
      return {};
    }
    return std::as_writable_bytes(std::span(found, 1))
        .subspan(location.address.value() & 7, location.size);
  }

  Result<std::uint64_t, MemoryFault> load(EntryLocation location) override {
    const auto bytes = entry(location);
    if (bytes.empty()) {
      return failure(MemoryFault{MemoryFault::Reason::kUnmapped, location.address});
    }
    return load_entry(bytes);
  }
  Result<Swap, MemoryFault> exchange(EntryLocation location, EntryChange change) override {
    const auto bytes = entry(location);
    if (bytes.empty()) {
      return failure(MemoryFault{MemoryFault::Reason::kUnmapped, location.address});
    }
    if (interferes_ && !input_.is_empty()) {
      *word(location.address.value()) ^= input_.word();
    }
    return exchange_entry(bytes, change);
  }

  /// Stage 2 maps addresses to themselves, but for holes, with rights that the address decides.
  Result<Stage2Page, Stage2Fault> translate(GuestPhysAddr gpa) override {
    if (word(gpa.value()) == nullptr) {
      return failure(Stage2Fault{Stage2Fault::Reason::kNotPopulated, gpa, Access::none()});
    }
    const bool writable = (gpa.value() >> 13 & 1) == 0;
    return Stage2Page{HostPhysAddr(gpa.value()), kPageSize,
                      writable ? Access::read_write() : Access::read()};
  }
  std::span<std::byte> bytes(HostPhysRange range) override {
    return entry({GuestPhysAddr(range.start().value()), static_cast<std::uint8_t>(range.size())});
  }

 private:
  static constexpr int kMaxLooks = 2000;

  Input input_;
  bool interferes_;
  int looks_ = 0;
  std::map<std::uint64_t, std::uint64_t> words_;
};

x86_64::PagingState x86_state(Input& input) {
  x86_64::PagingState state;
  state.cr0 = input.word();
  state.cr3 = input.word();
  state.cr4 = input.word();
  state.efer = input.word();
  state.pkru = static_cast<std::uint32_t>(input.word());
  state.pkrs = ~state.pkru;
  const std::uint8_t flags = input.byte();
  state.alignment_check = (flags & 1) != 0;
  state.features.gigabyte_pages = (flags & 2) != 0;
  state.features.bit8_reserved_on_top = (flags & 4) != 0;
  state.features.physical_address_bits = static_cast<std::uint8_t>(32 + input.byte() % 21);
  state.features.large_page_address_bits = static_cast<std::uint8_t>(32 + (flags >> 4) % 9);
  return state;
}

aarch64::TranslationState arm_state(Input& input) {
  constexpr std::array<std::uint8_t, 8> kWidths{32, 36, 40, 42, 44, 48, 52, 48};
  aarch64::TranslationState state;
  state.sctlr = input.word();
  state.tcr = input.word();
  state.ttbr0 = input.word();
  state.ttbr1 = input.word();
  const std::uint8_t flags = input.byte();
  state.pan = (flags & 1) != 0;
  state.features.lva = (flags & 2) != 0;
  state.features.lpa2 = (flags & 4) != 0;
  state.features.small_tables = (flags & 8) != 0;
  state.features.hardware_flags = (flags & 16) != 0;
  state.features.physical_address_bits = kWidths.at(flags >> 5);
  return state;
}

riscv64::TranslationState riscv_state(Input& input) {
  riscv64::TranslationState state;
  state.satp = input.word();
  state.sstatus = input.word();
  const std::uint8_t flags = input.byte();
  state.features.svnapot = (flags & 1) != 0;
  state.features.svpbmt = (flags & 2) != 0;
  state.features.hardware_flags = (flags & 4) != 0;
  return state;
}

/// What is true of every walk, whatever the tables.
template <typename State>
void walk_everything(const State& state, Input input, GuestVirtAddr gva, GuestAccess access) {
  const Access wanted = needed_right(access.kind);
  for (const bool interferes : {false, true}) {
    for (const TableUpdate update : {TableUpdate::kNone, TableUpdate::kAccessedDirty}) {
      HostileMemory one(input, interferes);
      const auto found = walk(one, state, gva, access, update);
      check(!found.outcome || found.outcome->access.allows(wanted),
            "an access that is not allowed");
      // Only before flags are written: a flag can be a reserved bit of the same entry elsewhere in
      // the walk.
      if (update == TableUpdate::kNone) {
        const oracle::Memory memory = [&one](std::uint64_t address, unsigned size) {
          const auto value = one.load({GuestPhysAddr(address), static_cast<std::uint8_t>(size)});
          return value ? std::optional(*value) : std::nullopt;
        };
        const oracle::Answer expected = oracle::walk(memory, state, gva.value(), access);
        const bool translated = expected.kind == oracle::Answer::Kind::kTranslated;
        check(found.outcome.has_value() == translated, "the manual says otherwise");
        check(!translated || (found.outcome->gpa.value() == expected.address &&
                              found.outcome->page_size == expected.page_size),
              "the manual names another page");
      }
      HostileMemory two(input, interferes);
      const auto both = translate_virt(two, state, gva, access, update);
      check(!both.outcome || both.outcome->access.allows(wanted), "an access stage 2 refuses");
    }
  }
}

void run(std::span<const std::uint8_t> bytes) {
  constexpr std::array kKinds{AccessKind::kRead, AccessKind::kWrite, AccessKind::kExecute};
  Input input(bytes);
  const std::uint8_t architecture = input.byte();
  const std::uint8_t selector = input.byte();
  const GuestAccess access{kKinds.at(selector % 3),
                           (selector & 0x80) != 0 ? Privilege::kUser : Privilege::kSupervisor};
  const GuestVirtAddr gva(input.word());
  switch (architecture % 3) {
    case 0: {
      const auto state = x86_state(input);
      walk_everything(state, input, gva, access);
      break;
    }
    case 1: {
      const auto state = arm_state(input);
      walk_everything(state, input, gva, access);
      break;
    }
    default: {
      const auto state = riscv_state(input);
      walk_everything(state, input, gva, access);
      break;
    }
  }
}

}  // namespace
}  // namespace nestling

// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer's name.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  nestling::run({data, size});
  return 0;
}
