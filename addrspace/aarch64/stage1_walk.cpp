// The walk itself: down the levels, the output address, the access flag, then the rights.
#include "addrspace/aarch64/stage1_walk.h"

#include "addrspace/guest_walk_loop.h"

namespace nestling::aarch64 {

namespace {

using Failure = GuestWalk::Failure;
using Kind = TranslationFault::Kind;
using stage1::DescriptorType;
using stage1::Half;

bool is_set(std::uint64_t value, std::uint64_t flag) { return (value & flag) != 0; }

tl::unexpected<Failure> fault(Kind kind, int level) {
  return failure(Failure(TranslationFault{kind, static_cast<std::int8_t>(level)}));
}

struct Question {
  const TranslationState& state;
  const Half& half;
  GuestVirtAddr gva;
  GuestAccess access;
};

/// Where a walk arrived, and the table attributes of all levels above, as set bits 62:59.
struct Leaf {
  int level = 0;
  std::uint64_t descriptor = 0;
  std::uint64_t table_attributes = 0;
};

/// Reads descriptors down to the one that maps the block or page.
Result<Leaf, Failure> descend(TableMemory& tables, const Question& question, WalkTrace& trace) {
  const Half& half = question.half;
  GuestPhysAddr table = stage1::root(half);
  if (!stage1::is_output_address(half, table)) {
    return fault(Kind::kAddressSize, 0);
  }
  Leaf leaf;
  for (int level = half.first_level();; ++level) {
    const WalkStep step{static_cast<std::int8_t>(level), table, half.index(level, question.gva)};
    const auto descriptor = read_step<TranslationFault>(tables, step, trace);
    if (!descriptor) {
      return failure(descriptor.error());
    }
    // Nothing is a table at level 3, so the loop ends there.
    const DescriptorType type = stage1::type(*descriptor, half, level);
    if (type == DescriptorType::kInvalid) {
      return fault(Kind::kTranslation, level);
    }
    const bool is_leaf = type == DescriptorType::kLeaf;
    const unsigned low_bit = is_leaf ? half.shift(level) : half.granule_bits;
    const GuestPhysAddr output = stage1::address(half, *descriptor, low_bit);
    if (!stage1::is_output_address(half, output)) {
      return fault(Kind::kAddressSize, level);
    }
    if (is_leaf) {
      leaf.level = level;
      leaf.descriptor = *descriptor;
      return leaf;
    }
    if (!half.no_table_rights) {
      leaf.table_attributes |= *descriptor;
    }
    table = output;
  }
}

bool sets_access_flag(const TranslationState& state) {
  return state.features.hardware_flags && is_set(state.tcr, kTcrHardwareAccess);
}

/// Whether the CPU takes a read-only descriptor for one that is merely clean.
bool tracks_dirt(const TranslationState& state, std::uint64_t descriptor) {
  return sets_access_flag(state) && is_set(state.tcr, kTcrHardwareDirty) &&
         is_set(descriptor, stage1::kDirtyModifier);
}

/// The rights of both levels, by descriptor and table attributes.
struct Rights {
  Access privileged;
  Access user;
};

Access rights(bool read, bool write, bool execute) {
  return (read ? Access::read() : Access::none()) | (write ? Access::write() : Access::none()) |
         (execute ? Access::execute() : Access::none());
}

/// "Direct permissions" and their modifiers: tables, WXN, then PAN.
Rights rights_of(const TranslationState& state, const Leaf& leaf) {
  const std::uint64_t page = leaf.descriptor;
  const std::uint64_t tables = leaf.table_attributes;
  const bool read_only = is_set(page, stage1::kReadOnly) && !tracks_dirt(state, page);
  const bool writable = !read_only && !is_set(tables, stage1::kTableReadOnly);
  const bool user_readable =
      is_set(page, stage1::kUserAccess) && !is_set(tables, stage1::kTableNoUserAccess);
  const bool user_writable = user_readable && writable;
  const bool wxn = is_set(state.sctlr, kSctlrWxn);
  const bool user_never =
      is_set(page, stage1::kUserNoExecute) || is_set(tables, stage1::kTableUserNoExecute);
  const bool privileged_never = is_set(page, stage1::kPrivilegedNoExecute) ||
                                is_set(tables, stage1::kTablePrivilegedNoExecute);
  const bool user_executable = !user_never && !(wxn && user_writable);
  // What EL0 can write, EL1 never executes.
  const bool executable = !privileged_never && !user_writable && !(wxn && writable);
  const bool user_page = user_readable || (is_set(state.sctlr, kSctlrEpan) && user_executable);
  const bool pan = state.pan && user_page;
  return {rights(!pan, !pan && writable, executable),
          rights(user_readable, user_writable, user_executable)};
}

Result<Stage1Page, Failure> translate(TableMemory& tables, const Question& question,
                                      WalkTrace& trace) {
  const auto leaf = descend(tables, question, trace);
  if (!leaf) {
    return failure(leaf.error());
  }
  if (!is_set(leaf->descriptor, stage1::kAccessFlag) && !sets_access_flag(question.state)) {
    return fault(Kind::kAccessFlag, leaf->level);
  }
  const Rights rights = rights_of(question.state, *leaf);
  const Access access =
      question.access.privilege == Privilege::kUser ? rights.user : rights.privileged;
  if (!access.allows(needed_right(question.access.kind))) {
    return fault(Kind::kPermission, leaf->level);
  }
  const unsigned shift = question.half.shift(leaf->level);
  const std::uint64_t size = 1ULL << shift;
  const GuestPhysAddr page = stage1::address(question.half, leaf->descriptor, shift);
  return Stage1Page{page + (question.gva.value() & (size - 1)), size, access};
}

/// The leaf as the CPU leaves it; tables have no flags.
std::uint64_t marked(const Question& question, const WalkStep& step, bool is_leaf) {
  if (!is_leaf || !sets_access_flag(question.state)) {
    return step.entry;
  }
  const bool dirties =
      question.access.kind == AccessKind::kWrite && tracks_dirt(question.state, step.entry);
  return (step.entry | stage1::kAccessFlag) & ~(dirties ? stage1::kReadOnly : 0);
}

/// With the MMU off every address is its own output, as far as the CPU has such addresses.
Result<Stage1Page, Failure> pass_through(const TranslationState& state, GuestVirtAddr gva,
                                         AccessKind kind) {
  const bool upper = stage1::field(gva.value(), 55, 1) != 0;
  const bool tbi = stage1::field(state.tcr, upper ? 38 : 37, 1) != 0;
  const bool tbid = stage1::field(state.tcr, upper ? 52 : 51, 1) != 0;
  const bool top_ignored = tbi && !(tbid && kind == AccessKind::kExecute);
  const std::uint64_t address = stage1::field(gva.value(), 0, 56) |
                                (top_ignored ? 0 : stage1::field(gva.value(), 56, 8) << 56);
  if (address >> state.features.physical_address_bits != 0) {
    return fault(Kind::kAddressSize, 0);
  }
  return Stage1Page{GuestPhysAddr(address), 1ULL << state.features.physical_address_bits,
                    Access::all()};
}

}  // namespace

GuestWalk walk(TableMemory& tables, const TranslationState& state, GuestVirtAddr gva,
               GuestAccess access, TableUpdate update) {
  GuestWalk walk;
  if (!is_set(state.sctlr, kSctlrMmu)) {
    walk.outcome = pass_through(state, gva, access.kind);
    return walk;
  }
  if (stage1::walks_disabled(state, gva)) {
    walk.outcome = fault(Kind::kTranslation, 0);
    return walk;
  }
  const auto half = stage1::half_of(state, gva, access.kind == AccessKind::kExecute);
  if (!half || is_set(state.sctlr, kSctlrBigEndian)) {
    walk.outcome = fault(Kind::kUnsupportedState, 0);
    return walk;
  }
  const bool refused = half->no_user_access && access.privilege == Privilege::kUser;
  if (!stage1::is_valid_size(state.features, *half) || !stage1::is_in_range(*half, gva) ||
      refused) {
    walk.outcome = fault(Kind::kTranslation, 0);
    return walk;
  }
  const Question question{state, *half, gva, access};
  return walk_and_mark<TranslationFault>(
      tables, update, [&](WalkTrace& trace) { return translate(tables, question, trace); },
      [&](const WalkStep& step, bool is_leaf) { return marked(question, step, is_leaf); });
}

std::uint8_t status_code(const TranslationFault& fault) {
  if (fault.level == -1) {
    // The only kinds there are at this level have codes of their own.
    return fault.kind == Kind::kAddressSize ? 0x29 : 0x2b;
  }
  const auto level = static_cast<std::uint8_t>(fault.level);
  switch (fault.kind) {
    case Kind::kAddressSize:
      return static_cast<std::uint8_t>(0x00 + level);
    case Kind::kTranslation:
      return static_cast<std::uint8_t>(0x04 + level);
    case Kind::kAccessFlag:
      return static_cast<std::uint8_t>(0x08 + level);
    case Kind::kPermission:
      return static_cast<std::uint8_t>(0x0c + level);
    case Kind::kUnsupportedState:
      break;
  }
  return 0;
}

std::uint64_t syndrome(const TranslationFault& fault, GuestAccess access) {
  const bool fetch = access.kind == AccessKind::kExecute;
  const std::uint64_t lower_level = fetch ? 0x20 : 0x24;
  const std::uint64_t exception_class =
      lower_level + (access.privilege == Privilege::kSupervisor ? 1 : 0);
  const std::uint64_t write = access.kind == AccessKind::kWrite ? 1ULL << 6 : 0;
  return exception_class << 26 | 1ULL << 25 | write | status_code(fault);
}

std::string describe(const TranslationFault& fault) {
  const char* kind = "unsupported";
  switch (fault.kind) {
    case Kind::kAddressSize:
      kind = "address size";
      break;
    case Kind::kTranslation:
      kind = "translation";
      break;
    case Kind::kAccessFlag:
      kind = "access flag";
      break;
    case Kind::kPermission:
      kind = "permission";
      break;
    case Kind::kUnsupportedState:
      return "big-endian tables or a reserved granule, which are not walked here";
  }
  return fmt::format("{} fault at level {}, status {:#x}", kind, fault.level, status_code(fault));
}

}  // namespace nestling::aarch64
