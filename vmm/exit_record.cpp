// Exits as records and as words.
#include "vmm/exit_record.h"

#include <algorithm>
#include <cstring>
#include <variant>

#include <fmt/core.h>

namespace nestling {

namespace {

/// The first bytes of an access as the number the guest moved.
std::uint64_t leading_value(std::span<const std::byte> data, std::size_t width) {
  std::uint64_t value = 0;
  if (data.empty()) {
    return value;
  }
  std::memcpy(&value, data.data(), std::min({sizeof value, width, data.size()}));
  return value;
}

struct Summarizer {
  ExitRecord operator()(const PortExit& exit) const {
    return {.direction = exit.direction,
            .size = static_cast<std::uint32_t>(exit.data.size()),
            .address = exit.port.value(),
            .value = leading_value(exit.data, exit.width.bytes())};
  }
  ExitRecord operator()(const MmioExit& exit) const {
    return {.direction = exit.direction,
            .size = static_cast<std::uint32_t>(exit.data.size()),
            .address = exit.address.value(),
            .value = leading_value(exit.data, exit.data.size())};
  }
  ExitRecord operator()(const MemoryFaultExit& exit) const {
    return {.address = exit.range.start().value(), .value = exit.flags};
  }
  ExitRecord operator()(const SystemEventExit& exit) const { return {.value = exit.raw_type}; }
  ExitRecord operator()(const InternalErrorExit& exit) const { return {.value = exit.suberror}; }
  ExitRecord operator()(const FailEntryExit& exit) const { return {.value = exit.hardware_reason}; }
  ExitRecord operator()(const UnknownExit& exit) const { return {.value = exit.reason}; }
  ExitRecord operator()(const HaltExit& /*exit*/) const { return {}; }
  ExitRecord operator()(const ShutdownExit& /*exit*/) const { return {}; }
  ExitRecord operator()(const UndecodedAccessExit& exit) const {
    return {.address = exit.address.value(), .value = exit.syndrome};
  }
  ExitRecord operator()(const InterruptedExit& /*exit*/) const { return {}; }
};

template <typename Alternative>
bool is(const ExitRecord& record) {
  return record.kind == Exit(Alternative{}).index();
}

}  // namespace

ExitRecord summarize(const Exit& exit) {
  ExitRecord record = std::visit(Summarizer{}, exit);
  record.kind = static_cast<std::uint8_t>(exit.index());
  return record;
}

std::string_view name(Direction direction) {
  return direction == Direction::kRead ? "read" : "write";
}

std::string describe(const ExitRecord& record) {
  const std::string_view kind = exit_kind_name(record.kind);
  if (record.size != 0) {
    return fmt::format("{} {} {} byte{} at {:#x}: {:#x}", kind, name(record.direction), record.size,
                       record.size == 1 ? "" : "s", record.address, record.value);
  }
  if (is<MemoryFaultExit>(record)) {
    return fmt::format("{} at {:#x}, flags {:#x}", kind, record.address, record.value);
  }
  if (is<UndecodedAccessExit>(record)) {
    return fmt::format("{} at {:#x}, syndrome {:#x}", kind, record.address, record.value);
  }
  if (is<InternalErrorExit>(record)) {
    return fmt::format("{}, suberror {}", kind, record.value);
  }
  if (is<FailEntryExit>(record) || is<UnknownExit>(record)) {
    return fmt::format("{}, reason {:#x}", kind, record.value);
  }
  if (is<SystemEventExit>(record)) {
    return fmt::format("{}, type {}", kind, record.value);
  }
  return std::string(kind);
}

std::vector<ExitRecord> RecentExits::list() const {
  std::vector<ExitRecord> records;
  for (std::uint64_t i = next_ - std::min<std::uint64_t>(next_, kCapacity); i < next_; ++i) {
    records.push_back(records_.at(i % kCapacity));
  }
  return records;
}

}  // namespace nestling
