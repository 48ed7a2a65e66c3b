// The flat model and its comparison, page by page.
#include "tests/support/address_space_model.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include <fmt/core.h>

namespace nestling::testing {

namespace {

using Kind = SpaceOperation::Kind;
using Failure = std::optional<std::string>;

constexpr std::array kRights = {Access::read(), Access::read_write(),
                                Access::read() | Access::execute(), Access::all(), Access::none()};
constexpr std::array<std::string_view, 3> kNames = {"a", "b", "c"};

/// What one page of the space is like.
struct Page {
  bool mapped = false;
  bool alloc = false;
  bool populated = false;
  Access access;
  MemoryType type = MemoryType::kWriteBack;
  AuditPolicy audit = AuditPolicy::kOff;
  std::size_t name = 0;
  std::size_t mapping = 0;    // alloc: which map operation, for its frames move together
  std::uint64_t frame = 0;    // linear: the HPA
  std::uint64_t content = 0;  // alloc, populated: the first eight bytes
};

/// The view as observers are told of it.
class Mirror final : public ViewObserver {
 public:
  explicit Mirror(GuestPhysRange space)
      : space_(space), access(space.size() / kPageSize), populated(space.size() / kPageSize) {}

  void changed(const ViewChange& change) override {
    const std::uint64_t first = change.range.start().offset_from(space_.start()) / kPageSize;
    for (std::uint64_t i = first; i < first + change.range.size() / kPageSize; ++i) {
      switch (change.kind) {
        case ViewChange::Kind::kMap:
          access.at(i) = change.access;
          populated.at(i) = change.backend == Backend::kLinear;
          break;
        case ViewChange::Kind::kUnmap:
          access.at(i) = Access::none();
          populated.at(i) = false;
          break;
        case ViewChange::Kind::kProtect:
          access.at(i) = change.access;
          break;
        case ViewChange::Kind::kPopulate:
          populated.at(i) = true;
          break;
        case ViewChange::Kind::kDiscard:
          populated.at(i) = false;
          break;
      }
    }
  }

 private:
  GuestPhysRange space_;

 public:
  std::vector<Access> access;
  std::vector<bool> populated;
};

class ModelRun {
 public:
  explicit ModelRun(const ModelSetup& setup)
      : setup_(setup),
        pages_(setup.range.size() / kPageSize),
        host_owner_stamp_(pool_size(setup) / kPageSize),
        mirror_(setup.range) {
    auto pool = RamPool::create(
        {.capacity = pool_size(setup),
         .backing = AnonymousBacking{.huge_pages = AnonymousBacking::HugePages::kNever}});
    check(pool.has_value(), "pool for a model run");
    pool_ = std::move(*pool);
    const auto frames = pool_->reserve(kLinearFrames * kPageSize, 1ULL << 21);
    check(frames.has_value() && pool_->commit(*frames).has_value(), "frames for a model run");
    frames_ = *frames;
    auto space = AddressSpace::create(
        *pool_,
        {.range = setup.range, .format = setup.format, .fault_granule = setup.fault_granule});
    check(space.has_value(), "space for a model run");
    space_ = std::move(*space);
    space_->add_observer(mirror_);
    if (setup.limit != UINT64_MAX) {
      pool_->set_limit(pool_->statistics().committed + setup.limit);
    }
  }

  Failure step(const SpaceOperation& operation) {
    Failure failure = apply(operation);
    if (!failure) {
      failure = compare();
    }
    ++steps_;
    if (!failure && (steps_ % 16 == 0 || pages_.size() > 100'000)) {
      failure = space_->defect();
    }
    return failure;
  }

  /// Everything goes; what remains?
  Failure finish() {
    if (auto found = space_->defect()) {
      return found;
    }
    space_.reset();
    const RamPool::Statistics left = pool_->statistics();
    if (left.committed != frames_.size() || left.reserved != frames_.size()) {
      return fmt::format("leaked: {:#x} bytes committed, {:#x} reserved, of {:#x} that were before",
                         left.committed, left.reserved, frames_.size());
    }
    return std::nullopt;
  }

 private:
  /// Room for every page of the space twice over, frames and tables.
  [[nodiscard]] static std::uint64_t pool_size(const ModelSetup& setup) {
    return std::max<std::uint64_t>(64ULL << 20, setup.range.size() / (1ULL << 21) * (4ULL << 21));
  }

  [[nodiscard]] GuestPhysAddr address(std::uint64_t page) const {
    return setup_.range.start() + page * kPageSize;
  }
  [[nodiscard]] GuestPhysRange range_of(const SpaceOperation& operation) const {
    return GuestPhysRange::of(address(operation.page), std::uint64_t{operation.count} * kPageSize);
  }
  [[nodiscard]] bool is_inside(const SpaceOperation& operation) const {
    return std::uint64_t{operation.page} + operation.count <= pages_.size();
  }
  template <typename Predicate>
  [[nodiscard]] bool all_pages(const SpaceOperation& operation, Predicate predicate) const {
    const auto first = pages_.begin() + operation.page;
    return std::all_of(first, first + operation.count, predicate);
  }
  template <typename Alter>
  void alter_pages(const SpaceOperation& operation, Alter alter) {
    for (std::uint64_t i = 0; i < operation.count; ++i) {
      alter(pages_.at(operation.page + i), i);
    }
  }

  /// Judges a result: `possible` says whether the operation could succeed with enough memory.
  /// True when it did, so that the model is to follow.
  [[nodiscard]] bool did_succeed(const Result<void, SpaceError>& result, bool possible,
                                 Failure& failure) const {
    if (result.has_value() != possible) {
      const bool ran_out = !result && setup_.limit != UINT64_MAX &&
                           (result.error().reason == SpaceError::Reason::kOutOfMemory ||
                            result.error().reason == SpaceError::Reason::kOutOfTables);
      if (!ran_out) {
        failure = result ? "succeeded where it cannot" : nestling::describe(result.error());
      }
      return false;
    }
    return possible;
  }

  Failure apply(const SpaceOperation& operation) {
    switch (operation.kind) {
      case Kind::kMapLinear:
      case Kind::kMapEager:
      case Kind::kMapLazy:
        return map(operation);
      case Kind::kUnmap:
      case Kind::kProtect:
      case Kind::kPopulate:
      case Kind::kDiscard:
      case Kind::kAudit:
        return change(operation);
      case Kind::kFault:
        return fault(operation);
      case Kind::kWrite:
      case Kind::kRead:
        return touch(operation);
      case Kind::kFindFree:
        return find_free(operation);
      case Kind::kClear:
        space_->clear();
        std::fill(pages_.begin(), pages_.end(), Page{});
        return std::nullopt;
    }
    return "unknown operation";
  }

  Failure map(const SpaceOperation& operation) {
    const bool linear = operation.kind == Kind::kMapLinear;
    const bool eager = operation.kind == Kind::kMapEager;
    Page page;
    page.mapped = true;
    page.alloc = !linear;
    page.populated = linear || eager;
    page.access = kRights.at(operation.choice % kRights.size());
    page.type = operation.choice % 16 == 9 ? MemoryType::kUncached : MemoryType::kWriteBack;
    page.name = operation.choice / 16 % kNames.size();
    page.mapping = deltas_.size();
    const AreaOptions options{
        .name = kNames.at(page.name), .access = page.access, .type = page.type};
    const std::uint64_t host = frames_.start().value() + std::uint64_t{operation.host} * kPageSize;
    const bool frames_exist = std::uint64_t{operation.host} + operation.count <= kLinearFrames;
    const bool possible = operation.count != 0 && is_inside(operation) &&
                          page.access != Access::none() && (!linear || frames_exist) &&
                          all_pages(operation, [](const Page& each) { return !each.mapped; });
    if (linear && !frames_exist) {
      return std::nullopt;  // would be valid, but no frames of ours
    }
    Failure failure;
    const auto result =
        linear ? space_->map_linear(range_of(operation), HostPhysAddr(host), options)
               : space_->map_alloc(range_of(operation), eager ? Populate::kNow : Populate::kOnTouch,
                                   options);
    if (did_succeed(result, possible, failure)) {
      deltas_.emplace_back(std::nullopt);
      alter_pages(operation, [&](Page& each, std::uint64_t i) {
        each = page;
        each.frame = host + i * kPageSize;
      });
    }
    return failure;
  }

  Failure change(const SpaceOperation& operation) {
    const GuestPhysRange range = range_of(operation);
    const bool inside = operation.count == 0 || is_inside(operation);
    const bool covered =
        inside && (operation.count == 0 ||
                   all_pages(operation, [](const Page& each) { return each.mapped; }));
    const Access access = kRights.at(operation.choice % kRights.size());
    Failure failure;
    switch (operation.kind) {
      case Kind::kUnmap:
        if (did_succeed(space_->unmap(range), inside, failure)) {
          alter_pages(operation, [](Page& page, std::uint64_t) { page = Page{}; });
        }
        break;
      case Kind::kProtect: {
        const bool possible = covered && (operation.count == 0 || access != Access::none());
        if (did_succeed(space_->protect(range, access), possible, failure)) {
          alter_pages(operation, [&](Page& page, std::uint64_t) { page.access = access; });
        }
        break;
      }
      case Kind::kPopulate:
        if (did_succeed(space_->populate(range), covered, failure)) {
          alter_pages(operation, [](Page& page, std::uint64_t) { page.populated = true; });
        }
        break;
      case Kind::kDiscard: {
        const bool possible =
            covered && (operation.count == 0 ||
                        all_pages(operation, [](const Page& each) { return each.alloc; }));
        if (did_succeed(space_->discard(range), possible, failure)) {
          alter_pages(operation, [](Page& page, std::uint64_t) {
            page.populated = false;
            page.content = 0;
          });
        }
        break;
      }
      default: {
        const auto policy = static_cast<AuditPolicy>(operation.choice % 3);
        if (did_succeed(space_->set_audit_policy(range, policy), covered, failure)) {
          alter_pages(operation, [&](Page& page, std::uint64_t) { page.audit = policy; });
        }
        break;
      }
    }
    return failure;
  }

  Failure fault(const SpaceOperation& operation) {
    const Access access = kRights.at(operation.choice % (kRights.size() - 1));
    const GuestPhysAddr gpa = address(operation.page) + operation.host % kPageSize;
    const FaultResult result = space_->handle_page_fault(gpa, access);
    FaultOutcome expected = FaultOutcome::kNoArea;
    if (operation.page < pages_.size() && pages_.at(operation.page).mapped) {
      const Page& page = pages_.at(operation.page);
      expected = !page.access.allows(access) ? FaultOutcome::kDenied
                 : page.populated            ? FaultOutcome::kAlreadyPresent
                                             : FaultOutcome::kResolved;
    }
    if (result.outcome == FaultOutcome::kOutOfMemory && expected == FaultOutcome::kResolved &&
        setup_.limit != UINT64_MAX) {
      return std::nullopt;
    }
    if (result.outcome != expected) {
      return fmt::format("fault is {}, not {}", name_of(result.outcome), name_of(expected));
    }
    if (expected != FaultOutcome::kResolved) {
      return std::nullopt;
    }
    const GuestPhysRange block = granule_around(gpa, gpa);
    if (!result.populated.contains(gpa) || !block.contains(result.populated)) {
      return "a fault populated what is not around it";
    }
    const std::uint64_t first =
        result.populated.start().offset_from(setup_.range.start()) / kPageSize;
    for (std::uint64_t i = 0; i < result.populated.size() / kPageSize; ++i) {
      pages_.at(first + i).populated = true;
    }
    return std::nullopt;
  }

  [[nodiscard]] GuestPhysRange granule_around(GuestPhysAddr first, GuestPhysAddr last) const {
    const GuestPhysAddr from = first.aligned_down(setup_.fault_granule);
    const GuestPhysAddr to = last.aligned_down(setup_.fault_granule) + (setup_.fault_granule - 1);
    return *GuestPhysRange::of(from, to.offset_from(from) + 1).intersection(setup_.range);
  }

  /// A device's access of some bytes.
  Failure touch(const SpaceOperation& operation) {
    const bool write = operation.kind == Kind::kWrite;
    const Access access = write ? Access::write() : Access::read();
    const bool populates = operation.choice % 4 != 0;
    const std::uint64_t size = 1 + operation.count % (3 * kPageSize);
    const GuestPhysRange range =
        GuestPhysRange::of(address(operation.page) + operation.host % kPageSize, size);
    const auto spans = space_->translated_byte_buffer(
        range, access, populates ? Unpopulated::kIsPopulated : Unpopulated::kFails);
    const std::uint64_t last_page = range.last().offset_from(setup_.range.start()) / kPageSize;
    // The first page that stands in the way decides.
    std::optional<MemoryFault> expected;
    bool lacks = false;
    for (std::uint64_t i = operation.page; i <= last_page && !expected; ++i) {
      const GuestPhysAddr at = std::max(range.start(), address(i));
      if (i >= pages_.size() || !pages_.at(i).mapped) {
        expected = MemoryFault{MemoryFault::Reason::kUnmapped, at};
      } else if (!pages_.at(i).access.allows(access)) {
        expected = MemoryFault{MemoryFault::Reason::kDenied, at};
      } else if (!pages_.at(i).populated && !populates) {
        expected = MemoryFault{MemoryFault::Reason::kNotPopulated, at};
      } else if (!pages_.at(i).populated) {
        lacks = true;
      }
    }
    if (!spans) {
      const bool ran_out = setup_.limit != UINT64_MAX && lacks && !expected &&
                           spans.error().reason == MemoryFault::Reason::kOutOfMemory;
      if (ran_out || expected == spans.error()) {
        return std::nullopt;
      }
      return "access: " + nestling::describe(spans.error()) + ", expected " +
             (expected ? nestling::describe(*expected) : "success");
    }
    if (expected) {
      return "access succeeded, expected " + nestling::describe(*expected);
    }
    if (lacks) {
      follow_populate(range);
    }
    for (std::uint64_t i = operation.page; i <= last_page; ++i) {
      if (!pages_.at(i).populated) {
        return "an access left a page unpopulated";
      }
    }
    return compare_spans(range, *spans, write);
  }

  /// The granules around an access may have been populated, as far as their areas reach.
  void follow_populate(GuestPhysRange range) {
    const GuestPhysRange around = granule_around(range.start(), range.last());
    const std::uint64_t first = around.start().offset_from(setup_.range.start()) / kPageSize;
    for (std::uint64_t i = 0; i < around.size() / kPageSize; ++i) {
      Page& page = pages_.at(first + i);
      page.populated = page.populated || (page.mapped && space_->translate(address(first + i)));
    }
  }

  Failure compare_spans(GuestPhysRange range, const SpanList& spans, bool write) {
    std::uint64_t done = 0;
    for (const std::span<std::byte> span : spans.spans()) {
      for (std::uint64_t in_span = 0; in_span < span.size();) {
        const GuestPhysAddr gpa = range.start() + done;
        const auto host = space_->translate(gpa);
        if (!host || pool_->pointer(*host) != span.data() + in_span) {
          return fmt::format("the span over {:#x} points elsewhere", gpa.value());
        }
        const std::uint64_t step =
            std::min(span.size() - in_span, kPageSize - gpa.value() % kPageSize);
        if (write) {
          stamp(gpa);
        }
        in_span += step;
        done += step;
      }
    }
    return done == range.size() ? std::nullopt : Failure("spans do not add up to the range");
  }

  /// Writes something recognizable to the page, if it is one of the space's own.
  void stamp(GuestPhysAddr gpa) {
    Page& page = pages_.at(gpa.offset_from(setup_.range.start()) / kPageSize);
    if (page.alloc) {
      page.content = ++stamps_;
      std::memcpy(pool_->pointer(*space_->translate(gpa.aligned_down(kPageSize))), &page.content,
                  sizeof page.content);
    }
  }

  Failure find_free(const SpaceOperation& operation) {
    const std::uint64_t alignment = kPageSize << (operation.choice % 10);
    const std::uint64_t limit_pages = pages_.size() - operation.host % pages_.size();
    const GuestPhysRange limit = GuestPhysRange::of(setup_.range.start(), limit_pages * kPageSize);
    const auto found =
        space_->find_free(address(operation.page), operation.count * kPageSize, limit, alignment);
    std::optional<std::uint64_t> first;
    std::optional<std::uint64_t> first_from_hint;
    std::uint64_t hole = 0;  // free pages from i on, counted from the back
    for (std::uint64_t i = limit_pages; i-- > 0;) {
      hole = pages_.at(i).mapped ? 0 : hole + 1;
      if (hole >= operation.count && address(i).is_aligned(alignment)) {
        first = i;
        if (i >= operation.page) {
          first_from_hint = i;
        }
      }
    }
    const std::optional<std::uint64_t> expected = first_from_hint ? first_from_hint : first;
    if (operation.count == 0) {
      return found ? Failure("found a hole of no size") : std::nullopt;
    }
    if (found.has_value() != expected.has_value() || (found && *found != address(*expected))) {
      return fmt::format("find_free gives {:#x}, not page {:#x}", found ? found->value() : 0,
                         expected.value_or(0));
    }
    return std::nullopt;
  }

  /// Everything that readers can learn, for every page.
  Failure compare() {
    std::uint64_t visited = 0;
    Failure failure;
    space_->visit_areas(setup_.range, [&](const Area& area) {
      const std::uint64_t first = area.range.start().offset_from(setup_.range.start()) / kPageSize;
      visited += area.range.size() / kPageSize;
      for (std::uint64_t i = first; i < first + area.range.size() / kPageSize; ++i) {
        const Page& page = pages_.at(i);
        if (!page.mapped || page.access != area.access || page.type != area.type ||
            kNames.at(page.name) != *area.name || page.audit != area.audit ||
            page.alloc != (area.backend == Backend::kAlloc)) {
          failure = fmt::format("page {:#x} is not as its area says", i);
        }
      }
    });
    const auto mapped = static_cast<std::uint64_t>(
        std::count_if(pages_.begin(), pages_.end(), [](const Page& page) { return page.mapped; }));
    if (visited != mapped) {
      return fmt::format("{} pages in areas, {} expected", visited, mapped);
    }
    if (failure) {
      return failure;
    }
    failure = compare_entries();
    for (std::uint64_t i = 0; i < pages_.size() && !failure; ++i) {
      failure = compare_page(i);
    }
    if (!failure) {
      failure = compare_limit((steps_ * 7919) % pages_.size());
    }
    return failure;
  }

  /// The table's runs against the model, and every frame used once.
  Failure compare_entries() {
    Failure failure;
    ++stamp_;
    std::uint64_t populated = 0;
    space_->visit_pages(setup_.range, [&](const MappedRun& run) {
      const std::uint64_t first = run.guest.start().offset_from(setup_.range.start()) / kPageSize;
      for (std::uint64_t i = 0; i < run.guest.size() / kPageSize; ++i) {
        const Page& page = pages_.at(first + i);
        const std::uint64_t host = run.host.value() + i * kPageSize;
        ++populated;
        if (!page.populated || run.access != page.access ||
            run.type != space_->table().effective_type(page.type)) {
          failure = fmt::format("page {:#x} has a wrong entry", first + i);
        } else if (!page.alloc && host != page.frame) {
          failure = fmt::format("page {:#x} is linear, but its frame moved", first + i);
        } else if (page.alloc && !is_frame_right(first + i, host)) {
          failure = fmt::format("page {:#x} shares its frame or has changed it", first + i);
        }
      }
    });
    const auto expected = static_cast<std::uint64_t>(std::count_if(
        pages_.begin(), pages_.end(), [](const Page& page) { return page.populated; }));
    if (!failure && populated != expected) {
      failure = fmt::format("{} pages populated, {} expected", populated, expected);
    }
    return failure;
  }

  [[nodiscard]] bool is_frame_right(std::uint64_t index, std::uint64_t host) {
    std::uint64_t& owner = host_owner_stamp_.at(host / kPageSize);
    const bool is_first = std::exchange(owner, stamp_) != stamp_;
    const std::uint64_t delta = host - index * kPageSize;  // may wrap, equally for all its pages
    std::optional<std::uint64_t>& known = deltas_.at(pages_.at(index).mapping);
    if (!known) {
      known = delta;
    }
    return is_first && *known == delta && !frames_.contains(HostPhysAddr(host));
  }

  Failure compare_page(std::uint64_t index) {
    const Page& page = pages_.at(index);
    const std::uint64_t offset = (index * 977 + steps_) % kPageSize;
    const auto host = space_->translate(address(index) + offset);
    if (mirror_.populated.at(index) != page.populated ||
        mirror_.access.at(index) != (page.mapped ? page.access : Access::none())) {
      return fmt::format("observers were told otherwise of page {:#x}", index);
    }
    if (!host) {
      const Missing expected = page.mapped ? Missing::kNotPopulated : Missing::kNoArea;
      return page.populated || host.error() != expected
                 ? Failure(fmt::format("page {:#x}: {}", index, name_of(host.error())))
                 : std::nullopt;
    }
    if (!page.populated || host.value().value() % kPageSize != offset) {
      return fmt::format("page {:#x} has a translation", index);
    }
    if (page.alloc) {
      std::uint64_t content = 0;
      std::memcpy(&content, pool_->pointer(host.value().aligned_down(kPageSize)), sizeof content);
      if (content != page.content) {
        return fmt::format("page {:#x} holds {:#x}, not {:#x}", index, content, page.content);
      }
    }
    return std::nullopt;
  }

  /// The limit query from `index` on, and query(), against the model.
  Failure compare_limit(std::uint64_t index) {
    const auto limit = space_->translate_and_get_limit(address(index) + 1);
    if (limit.has_value() != pages_.at(index).populated) {
      return fmt::format("the limit query at page {:#x} is wrong", index);
    }
    if (!limit) {
      return std::nullopt;
    }
    std::optional<GuestPhysRange> area;
    space_->visit_areas(GuestPhysRange::of(address(index), 1),
                        [&](const Area& each) { area = each.range; });
    std::uint64_t expected = kPageSize - 1;
    for (std::uint64_t i = index + 1; i < pages_.size() && pages_.at(i).populated; ++i) {
      expected += area->contains(address(i)) ? kPageSize : 0;
    }
    const auto info = space_->query(address(index) + 1);
    if (!info || info->host != limit->start() || info->access != pages_.at(index).access ||
        info->area != kNames.at(pages_.at(index).name)) {
      return fmt::format("query() of page {:#x} is wrong", index);
    }
    return limit->size() == expected
               ? std::nullopt
               : Failure(fmt::format("the limit at page {:#x} is {:#x}, not {:#x}", index,
                                     limit->size(), expected));
  }

  ModelSetup setup_;
  std::vector<Page> pages_;
  std::vector<std::uint64_t> host_owner_stamp_;
  std::vector<std::optional<std::uint64_t>> deltas_;  // by mapping: HPA less the page's offset
  Mirror mirror_;
  std::unique_ptr<RamPool> pool_;
  HostPhysRange frames_;
  std::unique_ptr<AddressSpace> space_;
  std::uint64_t steps_ = 0;
  std::uint64_t stamps_ = 0;
  std::uint64_t stamp_ = 0;
};

}  // namespace

std::optional<std::string> run_against_model(const ModelSetup& setup,
                                             std::span<const SpaceOperation> operations) {
  ModelRun run(setup);
  for (std::size_t i = 0; i < operations.size(); ++i) {
    if (const auto failure = run.step(operations[i])) {
      return fmt::format("operation {} ({}): {}", i, describe(operations[i]), *failure);
    }
  }
  return run.finish();
}

std::vector<SpaceOperation> shrink(const ModelSetup& setup,
                                   std::vector<SpaceOperation> operations) {
  for (std::size_t size = operations.size() / 2; size != 0; size /= 2) {
    for (std::size_t at = 0; at + size <= operations.size();) {
      std::vector<SpaceOperation> shorter = operations;
      shorter.erase(shorter.begin() + static_cast<std::ptrdiff_t>(at),
                    shorter.begin() + static_cast<std::ptrdiff_t>(at + size));
      if (run_against_model(setup, shorter)) {
        operations = std::move(shorter);
      } else {
        at += size;
      }
    }
  }
  return operations;
}

}  // namespace nestling::testing
