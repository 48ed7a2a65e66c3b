// Cutting areas out of RAM, and mapping what takes their place.
#include "vmm/memory/area_plan.h"

#include <algorithm>
#include <utility>

#include "addrspace/space_memory.h"
#include "boot/image.h"
#include "boot/input_file.h"

namespace nestling {

namespace {

/// An area that is no RAM, and how to name it to the user.
struct Taken {
  GuestPhysRange range;
  std::string option;
};

template <typename... Args>
tl::unexpected<Error> refusal(const std::string& option, fmt::format_string<Args...> format,
                              Args&&... args) {
  return failure(
      Error{ErrorKind::kUsage, option + ": " + fmt::format(format, std::forward<Args>(args)...)});
}

Result<void> check_shape(const std::string& option, GuestPhysRange range, GuestPhysRange space) {
  if (!range.start().is_aligned(kPageSize)) {
    return refusal(option, "address {:#x} is no multiple of {:#x}", range.start().value(),
                   kPageSize);
  }
  if (range.is_empty() || range.size() % kPageSize != 0) {
    return refusal(option, "size {:#x} is no multiple of {:#x}, or 0", range.size(), kPageSize);
  }
  if (!space.contains(range)) {
    return refusal(option, "{} reaches beyond {:#x}, the last guest-physical address on this host",
                   name_of(range), space.last().value());
  }
  return {};
}

/// True when every byte of `range` is in one of `ranges`.
bool is_covered(GuestPhysRange range, std::span<const GuestPhysRange> ranges) {
  return std::any_of(ranges.begin(), ranges.end(),
                     [range](const GuestPhysRange& each) { return each.contains(range); });
}

std::string names_of(std::span<const GuestPhysRange> ranges) {
  std::string text;
  for (const GuestPhysRange& range : ranges) {
    text += (text.empty() ? "" : ", ") + name_of(range);
  }
  return text.empty() ? "none" : text;
}

/// What of `ranges` is outside `taken`.
std::vector<GuestPhysRange> without(std::span<const GuestPhysRange> ranges, GuestPhysRange taken) {
  std::vector<GuestPhysRange> rest;
  for (const GuestPhysRange& range : ranges) {
    const auto common = range.intersection(taken);
    if (!common) {
      rest.push_back(range);
      continue;
    }
    const std::uint64_t below = common->start().offset_from(range.start());
    const std::uint64_t above = range.last().offset_from(common->last());
    if (below != 0) {
      rest.push_back(GuestPhysRange::of(range.start(), below));
    }
    if (above != 0) {
      rest.push_back(GuestPhysRange::of(common->last() + 1, above));
    }
  }
  return rest;
}

/// A plan in the making.
class Planner {
 public:
  Planner(std::span<const GuestPhysRange> ram, GuestPhysRange space) : space_(space) {
    plan_.ram.assign(ram.begin(), ram.end());
  }

  Result<void> add_rom(const RomSpec& spec) {
    const std::string option = fmt::format("--rom {:#x}:{}", spec.address.value(), spec.path);
    auto file = read_input_file(spec.path);
    if (!file) {
      Error error = std::move(file).error();
      error.message = "--rom " + error.message;
      if (error.kind == ErrorKind::kBadImage) {
        error.kind = ErrorKind::kUsage;
      }
      return failure(std::move(error));
    }
    const std::uint64_t size = (file->bytes().size() + kPageSize - 1) / kPageSize * kPageSize;
    const auto range = GuestPhysRange::make(spec.address, size);
    if (!range) {
      return refusal(option, "{:#x} bytes from there wrap", size);
    }
    if (auto done = take(option, *range); !done) {
      return done;
    }
    plan_.roms.push_back({*range, std::move(*file)});
    return {};
  }

  Result<void> add_hole(GuestPhysRange range) {
    const std::string option =
        fmt::format("--hole {:#x}:{:#x}", range.start().value(), range.size());
    const bool is_ram = range.is_empty() || is_covered(range, plan_.ram);
    const bool is_taken = std::any_of(taken_.begin(), taken_.end(), [&](const Taken& each) {
      return each.range.overlaps(range);
    });
    if (!is_ram && !is_taken) {
      return refusal(option, "not all of {} is RAM ({})", name_of(range), names_of(plan_.ram));
    }
    return take(option, range);
  }

  Result<void> add_alias(const AliasSpec& spec) {
    auto done = take(option_of(spec), spec.range);
    if (done) {
      plan_.aliases.push_back(spec);
    }
    return done;
  }

  Result<AreaPlan> finish() && {
    // Only now is it known what is left of RAM.
    for (const AliasSpec& alias : plan_.aliases) {
      const auto source = GuestPhysRange::make(alias.source, alias.range.size());
      if (!source || !alias.source.is_aligned(kPageSize) || !is_covered(*source, plan_.ram)) {
        return refusal(option_of(alias),
                       "its source, {:#x} bytes from {:#x}, is not in one piece of RAM, or no "
                       "multiple of {:#x} (RAM: {})",
                       alias.range.size(), alias.source.value(), kPageSize, names_of(plan_.ram));
      }
    }
    if (plan_.ram.empty()) {
      return failure(make_error(ErrorKind::kUsage, "--rom, --alias and --hole leave no RAM"));
    }
    return std::move(plan_);
  }

 private:
  static std::string option_of(const AliasSpec& alias) {
    return fmt::format("--alias {:#x}:{:#x}:{:#x}", alias.range.start().value(),
                       alias.source.value(), alias.range.size());
  }

  Result<void> take(const std::string& option, GuestPhysRange range) {
    if (auto done = check_shape(option, range, space_); !done) {
      return done;
    }
    for (const Taken& other : taken_) {
      if (other.range.overlaps(range)) {
        return refusal(option, "{} overlaps {}, which is {}", name_of(range), other.option,
                       name_of(other.range));
      }
    }
    taken_.push_back({range, option});
    plan_.ram = without(plan_.ram, range);
    return {};
  }

  GuestPhysRange space_;
  AreaPlan plan_;
  std::vector<Taken> taken_;
};

Error refused(const char* what, GuestPhysRange range, const SpaceError& error) {
  return make_error(ErrorKind::kHostRefused, "{} at {}: {}", what, name_of(range), describe(error));
}

Result<void> map_rom(const AreaPlan::Rom& rom, AddressSpace& space) {
  // Written while it still can be.
  if (const auto done = space.map_alloc(rom.range, Populate::kOnTouch, {.name = "rom"}); !done) {
    return failure(refused("ROM", rom.range, done.error()));
  }
  SpaceMemory memory(space, {.kind = Actor::Kind::kVmm});
  if (const auto done = memory.write(rom.range.start(), rom.file.bytes()); !done) {
    return failure(make_error(ErrorKind::kHostRefused, "ROM at {}: {}", name_of(rom.range),
                              describe(done.error())));
  }
  if (const auto done = space.protect(rom.range, Access::read() | Access::execute()); !done) {
    return failure(refused("ROM", rom.range, done.error()));
  }
  return {};
}

Result<void> map_alias(const AliasSpec& alias, AddressSpace& space) {
  // An alias shows frames that exist.
  const auto source = GuestPhysRange::of(alias.source, alias.range.size());
  if (const auto done = space.populate(source); !done) {
    return failure(refused("the source of an alias", source, done.error()));
  }
  HostPhysAddr host;
  space.visit_areas(source, [&](const Area& area) { host = area.host_of(alias.source); });
  if (const auto done = space.map_linear(alias.range, host, {.name = "alias"}); !done) {
    return failure(refused("alias", alias.range, done.error()));
  }
  return {};
}

}  // namespace

std::vector<MemoryClaim> AreaPlan::claims() const {
  std::vector<MemoryClaim> claims;
  for (const Rom& rom : roms) {
    claims.push_back({rom.range, MemoryKind::kRom});
  }
  for (const AliasSpec& alias : aliases) {
    claims.push_back({alias.range, MemoryKind::kReserved});
  }
  return claims;
}

std::vector<GuestPhysRange> AreaPlan::rom_ranges() const {
  std::vector<GuestPhysRange> ranges;
  for (const Rom& rom : roms) {
    ranges.push_back(rom.range);
  }
  return ranges;
}

Result<AreaPlan> plan_areas(std::span<const GuestPhysRange> ram, const ExtraAreas& extra,
                            GuestPhysRange space) {
  Planner planner(ram, space);
  for (const GuestPhysRange& hole : extra.holes) {
    if (auto done = planner.add_hole(hole); !done) {
      return failure(done.error());
    }
  }
  for (const RomSpec& rom : extra.roms) {
    if (auto done = planner.add_rom(rom); !done) {
      return failure(done.error());
    }
  }
  for (const AliasSpec& alias : extra.aliases) {
    if (auto done = planner.add_alias(alias); !done) {
      return failure(done.error());
    }
  }
  return std::move(planner).finish();
}

Result<void> check_areas_against(const AreaPlan& plan, std::span<const GuestPhysRange> devices) {
  for (const MemoryClaim& claim : plan.claims()) {
    for (const GuestPhysRange& device : devices) {
      if (claim.range.overlaps(device)) {
        return failure(make_error(ErrorKind::kUsage, "the {} at {} overlaps a device at {}",
                                  claim.kind == MemoryKind::kRom ? "ROM" : "alias",
                                  name_of(claim.range), name_of(device)));
      }
    }
  }
  return {};
}

Result<void> map_extra_areas(const AreaPlan& plan, AddressSpace& space) {
  for (const AreaPlan::Rom& rom : plan.roms) {
    if (auto done = map_rom(rom, space); !done) {
      return done;
    }
  }
  for (const AliasSpec& alias : plan.aliases) {
    if (auto done = map_alias(alias, space); !done) {
      return done;
    }
  }
  return {};
}

}  // namespace nestling
