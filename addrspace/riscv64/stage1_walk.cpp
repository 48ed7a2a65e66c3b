// The walk itself; RISC-V privileged architecture, "Virtual Address Translation Process".
#include "addrspace/riscv64/stage1_walk.h"

#include "addrspace/guest_walk_loop.h"

namespace nestling::riscv64 {

namespace {

using Failure = GuestWalk::Failure;
using Kind = TranslationFault::Kind;
using stage1::Mode;

struct Question {
  const TranslationState& state;
  Mode mode = Mode::kBare;
  GuestVirtAddr gva;
  GuestAccess access;
};

bool is_set(std::uint64_t value, std::uint64_t flag) { return (value & flag) != 0; }

TranslationFault fault(AccessKind access, Kind kind, int level) {
  const bool access_fault = kind == Kind::kOutOfRange;
  std::uint8_t cause = access_fault ? 5 : 13;
  if (access == AccessKind::kExecute) {
    cause = access_fault ? 1 : 12;
  } else if (access == AccessKind::kWrite) {
    cause = access_fault ? 7 : 15;
  }
  return {kind, kind == Kind::kBadMode ? std::uint8_t{0} : cause, static_cast<std::int8_t>(level)};
}

struct Leaf {
  int level = 0;
  std::uint64_t entry = 0;
};

/// Reads entries down to the one that maps the page.
Result<Leaf, Failure> descend(TableMemory& tables, const Question& question, WalkTrace& trace) {
  GuestPhysAddr table = stage1::root(question.state.satp);
  const auto fail = [&](Kind kind, int level) {
    return failure(Failure(fault(question.access.kind, kind, level)));
  };
  for (int level = stage1::top_level(question.mode);; --level) {
    const WalkStep step{static_cast<std::int8_t>(level), table, stage1::index(level, question.gva)};
    const auto entry = read_step<TranslationFault>(tables, step, trace);
    if (!entry) {
      return failure(entry.error());
    }
    if (!is_set(*entry, stage1::kValid)) {
      return fail(Kind::kInvalid, level);
    }
    // Refuses pointers at level 0, so the loop ends there.
    if (!stage1::is_well_formed(question.state.features, level, *entry)) {
      return fail(Kind::kReserved, level);
    }
    if (stage1::is_leaf(*entry)) {
      return Leaf{level, *entry};
    }
    table = stage1::address(*entry);
  }
}

/// What accesses of the asked privilege may do by R, W, X, U and the modes SUM and MXR.
Access permitted(const Question& question, std::uint64_t entry) {
  const std::uint64_t status = question.state.sstatus;
  const bool user_page = is_set(entry, stage1::kUser);
  const bool user = question.access.privilege == Privilege::kUser;
  const bool data = user ? user_page : !user_page || is_set(status, kStatusSum);
  const bool readable = is_set(entry, stage1::kRead) ||
                        (is_set(status, kStatusMxr) && is_set(entry, stage1::kExecute));
  Access access;
  if (data && readable) {
    access = access | Access::read();
  }
  if (data && is_set(entry, stage1::kWrite)) {
    access = access | Access::write();
  }
  if (user == user_page && is_set(entry, stage1::kExecute)) {
    access = access | Access::execute();
  }
  return access;
}

/// What A and D leave of `access` where the hart does not set them.
Access flagged(const Question& question, std::uint64_t entry, Access access) {
  if (question.state.features.hardware_flags) {
    return access;
  }
  if (!is_set(entry, stage1::kAccessed)) {
    return Access::none();
  }
  return is_set(entry, stage1::kDirty) ? access : access.without(Access::write());
}

Result<Stage1Page, Failure> translate(TableMemory& tables, const Question& question,
                                      WalkTrace& trace) {
  const auto leaf = descend(tables, question, trace);
  if (!leaf) {
    return failure(leaf.error());
  }
  const Access wanted = needed_right(question.access.kind);
  const Access rights = permitted(question, leaf->entry);
  const Access access = flagged(question, leaf->entry, rights);
  if (!access.allows(wanted)) {
    const Kind kind = rights.allows(wanted) ? Kind::kFlags : Kind::kPermission;
    return failure(Failure(fault(question.access.kind, kind, leaf->level)));
  }
  const std::uint64_t size = stage1::leaf_size(leaf->level, leaf->entry);
  const GuestPhysAddr page = stage1::address(leaf->entry).aligned_down(size);
  return Stage1Page{page + (question.gva.value() & (size - 1)), size, access};
}

/// The leaf as the hart leaves it; tables have no flags.
std::uint64_t marked(const Question& question, const WalkStep& step, bool is_leaf) {
  if (!is_leaf || !question.state.features.hardware_flags) {
    return step.entry;
  }
  const bool write = question.access.kind == AccessKind::kWrite;
  return step.entry | stage1::kAccessed | (write ? stage1::kDirty : 0);
}

}  // namespace

GuestWalk walk(TableMemory& tables, const TranslationState& state, GuestVirtAddr gva,
               GuestAccess access, TableUpdate update) {
  GuestWalk walk;
  const auto fail = [&](Kind kind, int level) {
    walk.outcome = failure(Failure(fault(access.kind, kind, level)));
    return walk;
  };
  const auto mode = stage1::mode(state.satp);
  if (!mode) {
    return fail(Kind::kBadMode, 0);
  }
  if (*mode == Mode::kBare) {
    if (gva.value() >> stage1::kPhysicalBits != 0) {
      return fail(Kind::kOutOfRange, 0);
    }
    walk.outcome =
        Stage1Page{GuestPhysAddr(gva.value()), 1ULL << stage1::kPhysicalBits, Access::all()};
    return walk;
  }
  if (!stage1::is_virtual_address(*mode, gva)) {
    return fail(Kind::kNotAnAddress, stage1::top_level(*mode));
  }
  const Question question{state, *mode, gva, access};
  return walk_and_mark<TranslationFault>(
      tables, update, [&](WalkTrace& trace) { return translate(tables, question, trace); },
      [&](const WalkStep& step, bool is_leaf) { return marked(question, step, is_leaf); });
}

std::string describe(const TranslationFault& fault) {
  const auto reason = [&] {
    switch (fault.kind) {
      case Kind::kNotAnAddress:
        return "not an address in this mode";
      case Kind::kInvalid:
        return "not valid";
      case Kind::kReserved:
        return "reserved encoding";
      case Kind::kPermission:
        return "denied";
      case Kind::kFlags:
        return "accessed or dirty flag clear";
      case Kind::kOutOfRange:
        return "beyond 56 bits";
      case Kind::kBadMode:
        break;
    }
    return "reserved mode in satp";
  };
  if (fault.kind == Kind::kBadMode) {
    return reason();
  }
  const bool fetch = fault.cause == 1 || fault.cause == 12;
  const bool store = fault.cause == 7 || fault.cause == 15;
  return fmt::format("{} {} fault ({}) at level {}",
                     fetch   ? "instruction"
                     : store ? "store"
                             : "load",
                     fault.cause < 8 ? "access" : "page", reason(), fault.level);
}

}  // namespace nestling::riscv64
