// Single table entries, read and exchanged atomically in the guest's memory.
#include "addrspace/guest_walk.h"

namespace nestling {

namespace {

/// An entry's bytes, seen as one integer.
template <typename Entry>
Entry* entry_at(std::byte* bytes) {
  check(reinterpret_cast<std::uintptr_t>(bytes) % sizeof(Entry) == 0, "page-table entry alignment");
  return reinterpret_cast<Entry*>(bytes);
}

template <typename Entry>
TableMemory::Swap exchange_as(std::byte* bytes, EntryChange change) {
  auto wanted = static_cast<Entry>(change.expected);
  const bool done = __atomic_compare_exchange_n(entry_at<Entry>(bytes), &wanted,
                                                static_cast<Entry>(change.desired), false,
                                                __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
  return done ? TableMemory::Swap::kDone : TableMemory::Swap::kEntryChanged;
}

/// The host bytes of one entry. A naturally aligned entry is one piece wherever memory is made of
/// pages; memory that is not is no place for tables.
Result<std::span<std::byte>, MemoryFault> bytes_of(GuestMemory& memory, EntryLocation entry,
                                                   Access access) {
  const MemoryFault unmapped{MemoryFault::Reason::kUnmapped, entry.address};
  const auto range = GuestPhysRange::make(entry.address, entry.size);
  if (!range) {
    return failure(unmapped);
  }
  const auto pieces = memory.spans(*range, access);
  if (!pieces) {
    return failure(pieces.error());
  }
  if (pieces->spans().size() != 1) {
    return failure(unmapped);
  }
  return pieces->spans().front();
}

}  // namespace

std::uint64_t load_entry(std::span<const std::byte> bytes) {
  // The qualifier is only cast away to share the alignment check; nothing is written.
  auto* const start = const_cast<std::byte*>(bytes.data());
  return bytes.size() == sizeof(std::uint32_t)
             ? __atomic_load_n(entry_at<std::uint32_t>(start), __ATOMIC_ACQUIRE)
             : __atomic_load_n(entry_at<std::uint64_t>(start), __ATOMIC_ACQUIRE);
}

TableMemory::Swap exchange_entry(std::span<std::byte> bytes, EntryChange change) {
  return bytes.size() == sizeof(std::uint32_t) ? exchange_as<std::uint32_t>(bytes.data(), change)
                                               : exchange_as<std::uint64_t>(bytes.data(), change);
}

Result<std::uint64_t, MemoryFault> GuestTableMemory::load(EntryLocation entry) {
  const auto bytes = bytes_of(memory_, entry, Access::read());
  if (!bytes) {
    return failure(bytes.error());
  }
  return load_entry(*bytes);
}

Result<TableMemory::Swap, MemoryFault> GuestTableMemory::exchange(EntryLocation entry,
                                                                  EntryChange change) {
  const auto bytes = bytes_of(memory_, entry, Access::write());
  if (!bytes) {
    return failure(bytes.error());
  }
  return exchange_entry(*bytes, change);
}

}  // namespace nestling
