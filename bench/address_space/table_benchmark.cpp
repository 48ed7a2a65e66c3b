// The nested page table alone: translate against the load chain that any radix walk must make, and
// the cost of changes.
#include <array>
#include <cmath>
#include <cstdint>
#include <memory>
#include <random>
#include <span>
#include <utility>
#include <vector>

#include <benchmark/benchmark.h>
#include <fmt/core.h>

#include "addrspace/stage2_table.h"
#include "tests/support/heap_table_frames.h"

namespace nestling {
namespace {

using testing::HeapTableFrames;

constexpr std::uint64_t kGiB = 1ULL << 30;

enum class Pattern : std::uint8_t { kHot, kSequential, kZipf, kRandom };

/// Guest addresses in a footprint of a power of two.
class AddressSource {
 public:
  AddressSource(Pattern pattern, std::uint64_t footprint)
      : pattern_(pattern), mask_(footprint - 1), zipf_(kDraws) {
    // Zipf with exponent 1 by inversion, over pages that are spread out by a multiplication.
    std::mt19937_64 random(1);
    std::uniform_real_distribution<double> unit(0, 1);
    const std::uint64_t page_count = footprint / kPageSize;
    const auto pages = static_cast<double>(page_count);
    for (std::uint64_t& draw : zipf_) {
      const auto rank = static_cast<std::uint64_t>(std::exp(unit(random) * std::log(pages)));
      draw = rank * 0x9e37'79b9'7f4a'7c15ULL * kPageSize & mask_;
    }
  }

  std::uint64_t next() {
    ++count_;
    switch (pattern_) {
      case Pattern::kHot:
        return count_ * 64 % (16 * kPageSize);
      case Pattern::kSequential:
        return count_ * 64 & mask_;
      case Pattern::kZipf:
        return zipf_[count_ % kDraws];
      case Pattern::kRandom:
        state_ = state_ * 6'364'136'223'846'793'005ULL + 1'442'695'040'888'963'407ULL;
        return state_ >> 20 & mask_;
    }
    return 0;
  }

 private:
  static constexpr std::uint64_t kDraws = 1ULL << 17;

  Pattern pattern_;
  std::uint64_t mask_;
  std::vector<std::uint64_t> zipf_;
  std::uint64_t count_ = 0;
  std::uint64_t state_ = 1;
};

/// [0, footprint) mapped to itself, in pages of one size.
struct MappedTable {
  MappedTable(Stage2Kind kind, std::uint64_t footprint, PageSize largest)
      : frames(kTableMemory),
        table(std::move(Stage2Table::create(kind, frames, epochs, {largest}).value())) {
    check(
        table.map(GuestPhysRange::of(GuestPhysAddr(0), footprint), {HostPhysAddr(0), Access::all()})
            .has_value(),
        "no room for the benchmark's tables");
  }

  static constexpr std::uint64_t kTableMemory = 320ULL << 20;

  HeapTableFrames frames;
  ReaderEpochs epochs;
  Stage2Table table;
};

/// The least that a four-level walk can be: entries that are host pointers, no holes, no checks.
class LoadChain {
 public:
  LoadChain(std::uint64_t footprint, PageSize size)
      : frames_(MappedTable::kTableMemory),
        last_level_(level_of(size)),
        root_(fill(3, 0, footprint)) {}

  template <unsigned LastLevel>
  [[nodiscard]] std::uint64_t look_up(std::uint64_t gpa) const {
    const std::uint64_t* table = root_;
    for (unsigned level = 3; level > LastLevel; --level) {
      // NOLINTNEXTLINE(performance-no-int-to-ptr): that entries are pointers is the point.
      table = reinterpret_cast<const std::uint64_t*>(table[gpa >> (12 + 9 * level) & 511]);
    }
    return table[gpa >> (12 + 9 * LastLevel) & 511] | (gpa & (bytes_at_level(LastLevel) - 1));
  }

 private:
  std::uint64_t* fill(unsigned level, std::uint64_t start, std::uint64_t end) {
    const HostPhysRange frame = frames_.allocate(kPageSize).value();
    auto* table = reinterpret_cast<std::uint64_t*>(frames_.window() + frame.start().value());
    for (std::uint64_t i = 0; i < 512 && start < end; ++i, start += bytes_at_level(level)) {
      table[i] = level == last_level_
                     ? start
                     : reinterpret_cast<std::uintptr_t>(fill(level - 1, start, end));
    }
    return table;
  }

  HeapTableFrames frames_;
  unsigned last_level_;
  std::uint64_t* root_;
};

/// Whether a translation may start before the one before it has ended. Dependent: memory latency
/// shows in full. Independent: the processor overlaps as many as its window holds.
enum class Order : std::uint8_t { kIndependent, kDependent };

struct Shape {
  Pattern pattern;
  std::uint64_t footprint;
  PageSize page_size;
  Order order;
};

/// Calls `translate` with address after address.
template <typename Translate>
void run(benchmark::State& state, const Shape& shape, Translate&& translate) {
  AddressSource source(shape.pattern, shape.footprint);
  std::uint64_t carry = 0;
  benchmark::DoNotOptimize(carry);  // always 0, but the compiler cannot know
  std::uint64_t previous = 0;
  for (auto _ : state) {
    const std::uint64_t gpa =
        shape.order == Order::kDependent ? source.next() + (previous & carry) : source.next();
    previous = translate(GuestPhysAddr(gpa));
    benchmark::DoNotOptimize(previous);
  }
}

Shape shape_of(const benchmark::State& state) {
  return {static_cast<Pattern>(state.range(0)), static_cast<std::uint64_t>(state.range(1)) * kGiB,
          kPageSizes.at(static_cast<std::size_t>(state.range(2))),
          static_cast<Order>(state.range(3))};
}

void set_label(benchmark::State& state, const Shape& shape) {
  constexpr std::array kPatterns = {"hot", "sequential", "zipf", "random"};
  state.SetLabel(fmt::format("{}, {} GiB, {} pages, {}",
                             kPatterns.at(static_cast<std::size_t>(shape.pattern)),
                             shape.footprint / kGiB, name_of(shape.page_size),
                             shape.order == Order::kDependent ? "dependent" : "independent"));
}

void every_shape(benchmark::internal::Benchmark* benchmark) {
  for (const std::int64_t order : {0, 1}) {
    for (const std::int64_t size : {0, 1, 2}) {
      benchmark->Args({static_cast<std::int64_t>(Pattern::kHot), 1, size, order});
      for (const std::int64_t footprint : {1, 64}) {
        for (const Pattern pattern : {Pattern::kSequential, Pattern::kZipf, Pattern::kRandom}) {
          benchmark->Args({static_cast<std::int64_t>(pattern), footprint, size, order});
        }
      }
    }
  }
}

std::uint64_t value_of(std::optional<HostPhysAddr> address) {
  return address ? address->value() : 0;
}

/// A guard for each translation, as a device's access takes it, and the format known.
void table_translate(benchmark::State& state) {
  const Shape shape = shape_of(state);
  const MappedTable mapped(Stage2Kind::kEpt4, shape.footprint, shape.page_size);
  mapped.table.with([&](const auto& table) {
    run(state, shape,
        [&](GuestPhysAddr gpa) { return value_of(table.translate(mapped.epochs.enter(), gpa)); });
  });
  set_label(state, shape);
}
BENCHMARK(table_translate)->Apply(every_shape);

/// One guard around all of them, as somebody with much to do takes it.
void guarded_translate(benchmark::State& state) {
  const Shape shape = shape_of(state);
  const MappedTable mapped(Stage2Kind::kEpt4, shape.footprint, shape.page_size);
  const auto guard = mapped.epochs.enter();
  mapped.table.with([&](const auto& table) {
    run(state, shape, [&](GuestPhysAddr gpa) { return value_of(table.translate(guard, gpa)); });
  });
  set_label(state, shape);
}
BENCHMARK(guarded_translate)->Apply(every_shape);

/// As table_translate, through the format chosen at run time.
void any_table_translate(benchmark::State& state) {
  const Shape shape = shape_of(state);
  const MappedTable mapped(Stage2Kind::kEpt4, shape.footprint, shape.page_size);
  run(state, shape, [&](GuestPhysAddr gpa) {
    return value_of(mapped.table.translate(mapped.epochs.enter(), gpa));
  });
  set_label(state, shape);
}
BENCHMARK(any_table_translate)->Apply(every_shape);

template <unsigned LastLevel>
void run_chain(benchmark::State& state, const Shape& shape) {
  const LoadChain chain(shape.footprint, shape.page_size);
  run(state, shape, [&](GuestPhysAddr gpa) { return chain.look_up<LastLevel>(gpa.value()); });
}

/// The bound: a chain of dependent loads of the same depth over the same footprint.
void load_chain(benchmark::State& state) {
  const Shape shape = shape_of(state);
  switch (shape.page_size) {
    case PageSize::k4KiB:
      run_chain<0>(state, shape);
      break;
    case PageSize::k2MiB:
      run_chain<1>(state, shape);
      break;
    case PageSize::k1GiB:
      run_chain<2>(state, shape);
      break;
  }
  set_label(state, shape);
}
BENCHMARK(load_chain)->Apply(every_shape);

/// 1 GiB in pages of 4 KiB (0), 2 MiB (1) or 1 GiB (2).
void map_and_unmap_1gib(benchmark::State& state) {
  HeapTableFrames frames;
  ReaderEpochs epochs;
  const PageSize largest = kPageSizes.at(static_cast<std::size_t>(state.range(0)));
  auto table = Stage2Table::create(Stage2Kind::kEpt4, frames, epochs, {largest}).value();
  const auto range = GuestPhysRange::of(GuestPhysAddr(0), kGiB);
  for (auto _ : state) {
    check(table.map(range, {HostPhysAddr(0), Access::all()}).has_value(), "map");
    check(table.unmap(range).has_value(), "unmap");
  }
}
BENCHMARK(map_and_unmap_1gib)->Arg(0)->Arg(1)->Arg(2)->Unit(benchmark::kMicrosecond);

/// 1 GiB of 4 KiB pages.
void unmap_1gib_of_4kib(benchmark::State& state) {
  HeapTableFrames frames;
  ReaderEpochs epochs;
  auto table = Stage2Table::create(Stage2Kind::kEpt4, frames, epochs, {PageSize::k4KiB}).value();
  const auto range = GuestPhysRange::of(GuestPhysAddr(0), kGiB);
  for (auto _ : state) {
    state.PauseTiming();
    check(table.map(range, {HostPhysAddr(0), Access::all()}).has_value(), "map");
    state.ResumeTiming();
    check(table.unmap(range).has_value(), "unmap");
  }
}
BENCHMARK(unmap_1gib_of_4kib)->Unit(benchmark::kMicrosecond);

/// What a page fault changes: one page more, in a table that mostly exists.
void map_one_page_after_another(benchmark::State& state) {
  HeapTableFrames frames;
  ReaderEpochs epochs;
  auto table = Stage2Table::create(Stage2Kind::kEpt4, frames, epochs).value();
  std::uint64_t page = 0;
  for (auto _ : state) {
    if (page == kGiB) {
      state.PauseTiming();
      check(table.unmap(GuestPhysRange::of(GuestPhysAddr(0), kGiB)).has_value(), "unmap");
      page = 0;
      state.ResumeTiming();
    }
    check(table
              .map(GuestPhysRange::of(GuestPhysAddr(page), kPageSize),
                   {HostPhysAddr(page), Access::all()})
              .has_value(),
          "map");
    page += kPageSize;
  }
}
BENCHMARK(map_one_page_after_another);

/// A visit of 1 GiB of 4 KiB pages, which are one run.
void visit_1gib_of_4kib(benchmark::State& state) {
  const MappedTable mapped(Stage2Kind::kEpt4, kGiB, PageSize::k4KiB);
  const auto range = GuestPhysRange::of(GuestPhysAddr(0), kGiB);
  for (auto _ : state) {
    std::uint64_t bytes = 0;
    const auto guard = mapped.epochs.enter();
    mapped.table.visit(guard, range, [&](const MappedRun& run) { bytes += run.guest.size(); });
    benchmark::DoNotOptimize(bytes);
  }
}
BENCHMARK(visit_1gib_of_4kib)->Unit(benchmark::kMicrosecond);

void protect_1gib_of_4kib(benchmark::State& state) {
  MappedTable mapped(Stage2Kind::kEpt4, kGiB, PageSize::k4KiB);
  const auto range = GuestPhysRange::of(GuestPhysAddr(0), kGiB);
  bool is_read_only = false;
  for (auto _ : state) {
    is_read_only = !is_read_only;
    check(mapped.table.protect(range, is_read_only ? Access::read() : Access::all()).has_value(),
          "protect");
  }
}
BENCHMARK(protect_1gib_of_4kib)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace nestling
