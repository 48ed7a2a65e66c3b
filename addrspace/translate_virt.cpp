// Stage-1 walks over tables that stage 2 translates, and the access itself after them.
#include "addrspace/translate_virt.h"

namespace nestling {

namespace {

/// The guest's tables, each entry reached through stage 2; remembers why one was not.
class TwoStageTables final : public TableMemory {
 public:
  explicit TwoStageTables(Stage2& stage2) : stage2_(stage2) {}

  [[nodiscard]] Result<std::uint64_t, MemoryFault> load(EntryLocation entry) override {
    const auto bytes = reach(entry, Access::read());
    if (!bytes) {
      return failure(bytes.error());
    }
    return load_entry(*bytes);
  }

  [[nodiscard]] Result<Swap, MemoryFault> exchange(EntryLocation entry,
                                                   EntryChange change) override {
    const auto bytes = reach(entry, Access::read_write());
    if (!bytes) {
      return failure(bytes.error());
    }
    return exchange_entry(*bytes, change);
  }

  /// Why the last entry was not reached.
  [[nodiscard]] const Stage2Fault& fault() const { return fault_; }

 private:
  Result<std::span<std::byte>, MemoryFault> reach(EntryLocation entry, Access wanted) {
    const auto page = stage2_.translate(entry.address);
    if (!page) {
      fault_ = page.error();
      fault_.wanted = wanted;
      return failure(MemoryFault{MemoryFault::Reason::kUnmapped, entry.address});
    }
    if (!page->access.allows(wanted)) {
      fault_ = {Stage2Fault::Reason::kDenied, entry.address, wanted};
      return failure(MemoryFault{MemoryFault::Reason::kDenied, entry.address});
    }
    return stage2_.bytes(HostPhysRange::of(page->hpa, entry.size));
  }

  Stage2& stage2_;
  Stage2Fault fault_;
};

/// The access itself, after stage 1.
Result<VirtPage, Stage2Stop> finish(Stage2& stage2, const Stage1Page& guest, Access wanted) {
  const auto host = stage2.translate(guest.gpa);
  if (!host) {
    Stage2Fault fault = host.error();
    fault.wanted = wanted;
    return failure(Stage2Stop{fault, std::nullopt});
  }
  const Access access = guest.access & host->access;
  if (!access.allows(wanted)) {
    return failure(Stage2Stop{{Stage2Fault::Reason::kDenied, guest.gpa, wanted}, std::nullopt});
  }
  return VirtPage{guest.gpa, host->hpa, guest.page_size, host->page_size, access};
}

/// The same for every architecture: `walk` is found in the namespace of `state`.
template <typename Fault, typename State>
VirtTranslation<Fault> translate(Stage2& stage2, const State& state, GuestVirtAddr gva,
                                 GuestAccess access, TableUpdate update) {
  using Failure = typename VirtTranslation<Fault>::Failure;
  TwoStageTables tables(stage2);
  const Stage1Walk<Fault> guest = walk(tables, state, gva, access, update);
  VirtTranslation<Fault> both;
  both.trace = guest.trace;
  if (!guest.outcome) {
    if (const auto* table = std::get_if<TableFault>(&guest.outcome.error())) {
      both.outcome = failure(Failure(Stage2Stop{tables.fault(), table->level}));
    } else if (const auto* fault = std::get_if<Fault>(&guest.outcome.error())) {
      both.outcome = failure(Failure(*fault));
    } else {
      both.outcome = failure(Failure(TablesChanging{}));
    }
    return both;
  }
  both.stage1 = *guest.outcome;
  const auto finished = finish(stage2, *guest.outcome, needed_right(access.kind));
  if (finished) {
    both.outcome = *finished;
  } else {
    both.outcome = failure(Failure(finished.error()));
  }
  return both;
}

}  // namespace

VirtTranslation<x86_64::PagingFault> translate_virt(Stage2& stage2,
                                                    const x86_64::PagingState& state,
                                                    GuestVirtAddr gva, GuestAccess access,
                                                    TableUpdate update) {
  return translate<x86_64::PagingFault>(stage2, state, gva, access, update);
}

VirtTranslation<aarch64::TranslationFault> translate_virt(Stage2& stage2,
                                                          const aarch64::TranslationState& state,
                                                          GuestVirtAddr gva, GuestAccess access,
                                                          TableUpdate update) {
  return translate<aarch64::TranslationFault>(stage2, state, gva, access, update);
}

VirtTranslation<riscv64::TranslationFault> translate_virt(Stage2& stage2,
                                                          const riscv64::TranslationState& state,
                                                          GuestVirtAddr gva, GuestAccess access,
                                                          TableUpdate update) {
  return translate<riscv64::TranslationFault>(stage2, state, gva, access, update);
}

}  // namespace nestling
