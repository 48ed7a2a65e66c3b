// The walk itself: down the levels, then the rights, then the flags.
#include "addrspace/x86_64/stage1_walk.h"

#include <optional>

#include "addrspace/guest_walk_loop.h"

namespace nestling::x86_64 {

namespace {

using Failure = GuestWalk::Failure;

/// What is asked, with the mode worked out once.
struct Question {
  const PagingState& state;
  PagingMode mode = PagingMode::kOff;
  GuestVirtAddr gva;
  GuestAccess access;
};

/// Where a walk arrived, with the rights of all its levels together.
struct Leaf {
  WalkStep step;
  bool writable = true;
  bool user = true;
  bool executable = true;
};

bool is_set(std::uint64_t value, std::uint64_t flag) { return (value & flag) != 0; }

/// A #PF for this access: `cause` is what the tables add to the error code.
PagingFault page_fault(const Question& question, std::int8_t level, std::uint32_t cause) {
  const PagingState& state = question.state;
  std::uint32_t code = cause;
  if (question.access.kind == AccessKind::kWrite) {
    code |= kFaultWrite;
  }
  if (question.access.privilege == Privilege::kUser) {
    code |= kFaultUser;
  }
  const bool has_no_execute =
      question.mode != PagingMode::k32Bit && is_set(state.efer, kEferNoExecute);
  if (question.access.kind == AccessKind::kExecute &&
      (has_no_execute || is_set(state.cr4, kCr4Smep))) {
    code |= kFaultFetch;
  }
  return {PagingFault::Kind::kPageFault, code, level};
}

/// What is wrong with an entry by itself.
std::optional<PagingFault> entry_fault(const Question& question, const WalkStep& step) {
  if (!is_set(step.entry, stage1::kPresent)) {
    return page_fault(question, step.level, 0);
  }
  const bool leaf = stage1::is_leaf(step.entry, question.state, question.mode, step.level);
  if (!is_set(step.entry, stage1::reserved_bits(question.state, question.mode, step.level, leaf))) {
    return std::nullopt;
  }
  if (question.mode == PagingMode::kPae && step.level == 3) {
    return PagingFault{PagingFault::Kind::kInvalidTopEntry, 0, 3};
  }
  return page_fault(question, step.level, kFaultPresent | kFaultReserved);
}

/// Whether an entry has rights and an accessed flag; the top ones of PAE have not.
bool has_flags(PagingMode mode, int level) { return mode != PagingMode::kPae || level != 3; }

void restrict_rights(const Question& question, const WalkStep& step, Leaf& leaf) {
  if (!has_flags(question.mode, step.level)) {
    return;
  }
  leaf.writable = leaf.writable && is_set(step.entry, stage1::kWritable);
  leaf.user = leaf.user && is_set(step.entry, stage1::kUser);
  // Without EFER.NXE the bit is reserved, so an entry that gets here has it clear.
  leaf.executable = leaf.executable && !is_set(step.entry, stage1::kNoExecute);
}

/// Reads entries down to the one that maps the page.
Result<Leaf, Failure> descend(TableMemory& tables, const Question& question, WalkTrace& trace) {
  const PagingMode mode = question.mode;
  GuestPhysAddr table = stage1::root(mode, question.state.cr3);
  Leaf leaf;
  for (int level = stage1::top_level(mode);; --level) {
    WalkStep step{static_cast<std::int8_t>(level), table, stage1::index(mode, level, question.gva),
                  stage1::entry_size(mode)};
    const auto entry = read_step<PagingFault>(tables, step, trace);
    if (!entry) {
      return failure(entry.error());
    }
    step.entry = *entry;
    if (const auto fault = entry_fault(question, step)) {
      return failure(Failure(*fault));
    }
    restrict_rights(question, step, leaf);
    if (stage1::is_leaf(*entry, question.state, mode, level)) {
      leaf.step = step;
      return leaf;
    }
    table = stage1::next_table(mode, *entry);
  }
}

/// The page's two protection-key bits (bit 0 no access, bit 1 no write), 0 where keys do not count.
std::uint32_t key_rights(const Question& question, const Leaf& leaf) {
  const bool long_mode =
      question.mode == PagingMode::k4Level || question.mode == PagingMode::k5Level;
  if (!long_mode || !is_set(question.state.cr4, leaf.user ? kCr4UserKeys : kCr4SupervisorKeys)) {
    return 0;
  }
  const auto key = static_cast<unsigned>((leaf.step.entry >> 59) & 0xf);
  return ((leaf.user ? question.state.pkru : question.state.pkrs) >> (2 * key)) & 3;
}

/// The rights the page's key takes away from accesses like the one asked about.
Access key_denies(const Question& question, const Leaf& leaf) {
  const std::uint32_t rights = key_rights(question, leaf);
  if (is_set(rights, 1)) {
    return Access::read_write();
  }
  const bool write_protect =
      question.access.privilege == Privilege::kUser || is_set(question.state.cr0, kCr0WriteProtect);
  return is_set(rights, 2) && write_protect ? Access::write() : Access::none();
}

/// What accesses of the asked privilege may do there; SDM volume 3, "Determination of Access
/// Rights".
Access effective_access(const Question& question, const Leaf& leaf) {
  const PagingState& state = question.state;
  Access access;
  const auto grant = [&access](Access right, bool condition) {
    access = condition ? access | right : access;
  };
  if (question.access.privilege == Privilege::kUser) {
    grant(Access::read(), leaf.user);
    grant(Access::write(), leaf.user && leaf.writable);
    grant(Access::execute(), leaf.user && leaf.executable);
  } else {
    const bool data = !leaf.user || !is_set(state.cr4, kCr4Smap) || state.alignment_check;
    grant(Access::read(), data);
    grant(Access::write(), data && (leaf.writable || !is_set(state.cr0, kCr0WriteProtect)));
    grant(Access::execute(), leaf.executable && !(leaf.user && is_set(state.cr4, kCr4Smep)));
  }
  return access.without(key_denies(question, leaf));
}

/// The #PF for an access that the rights refuse.
PagingFault denied(const Question& question, const Leaf& leaf) {
  const bool by_key = key_denies(question, leaf).allows(needed_right(question.access.kind));
  return page_fault(question, leaf.step.level, kFaultPresent | (by_key ? kFaultKey : 0));
}

/// An entry of a walk that succeeded, as the CPU leaves it.
std::uint64_t marked(const Question& question, const WalkStep& step, bool is_leaf) {
  std::uint64_t flags = has_flags(question.mode, step.level) ? stage1::kAccessed : 0;
  if (is_leaf && question.access.kind == AccessKind::kWrite) {
    flags |= stage1::kDirty;
  }
  return step.entry | flags;
}

Result<Stage1Page, Failure> translate(TableMemory& tables, const Question& question,
                                      WalkTrace& trace) {
  const auto leaf = descend(tables, question, trace);
  if (!leaf) {
    return failure(leaf.error());
  }
  const Access access = effective_access(question, *leaf);
  if (!access.allows(needed_right(question.access.kind))) {
    return failure(Failure(denied(question, *leaf)));
  }
  const std::uint64_t size = 1ULL << stage1::shift(question.mode, leaf->step.level);
  const GuestPhysAddr page = stage1::page(question.mode, leaf->step.level, leaf->step.entry);
  return Stage1Page{page + (question.gva.value() & (size - 1)), size, access};
}

}  // namespace

GuestWalk walk(TableMemory& tables, const PagingState& state, GuestVirtAddr gva, GuestAccess access,
               TableUpdate update) {
  const Question question{state, paging_mode(state), gva, access};
  GuestWalk walk;
  if (!stage1::is_linear_address(question.mode, gva)) {
    walk.outcome = failure(Failure(PagingFault{PagingFault::Kind::kNotAnAddress, 0, 0}));
    return walk;
  }
  if (question.mode == PagingMode::kOff) {
    walk.outcome = Stage1Page{GuestPhysAddr(gva.value()), 1ULL << 32, Access::all()};
    return walk;
  }
  return walk_and_mark<PagingFault>(
      tables, update, [&](WalkTrace& trace) { return translate(tables, question, trace); },
      [&](const WalkStep& step, bool is_leaf) { return marked(question, step, is_leaf); });
}

std::string describe(const PagingFault& fault) {
  switch (fault.kind) {
    case PagingFault::Kind::kNotAnAddress:
      return "not an address in this paging mode";
    case PagingFault::Kind::kInvalidTopEntry:
      return "reserved bits set in a PDPTE";
    case PagingFault::Kind::kPageFault:
      break;
  }
  const std::uint32_t code = fault.error_code;
  const char* const kind = is_set(code, kFaultFetch)   ? "fetch"
                           : is_set(code, kFaultWrite) ? "write"
                                                       : "access";
  const char* const cause = is_set(code, kFaultReserved)  ? "reserved bits set"
                            : is_set(code, kFaultKey)     ? "denied by protection key"
                            : is_set(code, kFaultPresent) ? "denied"
                                                          : "not present";
  return fmt::format("#PF, error code {:#x} ({} {}, {}) at level {}", code,
                     is_set(code, kFaultUser) ? "user" : "supervisor", kind, cause, fault.level);
}

}  // namespace nestling::x86_64
