// Checking what the guest wrote, asking, and putting answers into registers.
#include "devices/test_device.h"

#include <cstring>
#include <optional>
#include <span>
#include <string_view>

namespace nestling {

namespace {

using Status = TestDevice::Status;

constexpr std::uint64_t kAllOnes = ~0ULL;
constexpr std::uint64_t kRegisterSize = 8;
constexpr std::uint64_t kLargestValue = 8;

std::uint64_t bits_of(Access access) {
  return (access.allows(Access::read()) ? TestDevice::kReadable : 0) |
         (access.allows(Access::write()) ? TestDevice::kWritable : 0) |
         (access.allows(Access::execute()) ? TestDevice::kExecutable : 0);
}

/// Nothing for bits that mean nothing, and for a fetch that writes.
std::optional<GuestAccess> access_from(std::uint64_t bits) {
  constexpr std::uint64_t kBoth = TestDevice::kWrite | TestDevice::kFetch;
  if ((bits & ~(kBoth | TestDevice::kUser)) != 0 || (bits & kBoth) == kBoth) {
    return std::nullopt;
  }
  GuestAccess access;
  if ((bits & TestDevice::kWrite) != 0) {
    access.kind = AccessKind::kWrite;
  } else if ((bits & TestDevice::kFetch) != 0) {
    access.kind = AccessKind::kExecute;
  }
  access.privilege = (bits & TestDevice::kUser) != 0 ? Privilege::kUser : Privilege::kSupervisor;
  return access;
}

Status status_of(const MemoryFault& fault) {
  switch (fault.reason) {
    case MemoryFault::Reason::kDenied:
      return Status::kDenied;
    case MemoryFault::Reason::kOutOfMemory:
    case MemoryFault::Reason::kNotPopulated:
      return Status::kOutOfMemory;
    case MemoryFault::Reason::kMisaligned:
      return Status::kBadArgument;
    case MemoryFault::Reason::kUnmapped:
      break;
  }
  return Status::kUnmapped;
}

Status status_of(const SpaceError& error) {
  using Reason = SpaceError::Reason;
  switch (error.reason) {
    case Reason::kNoArea:
    case Reason::kOutsideSpace:
      return Status::kUnmapped;
    case Reason::kEmpty:
    case Reason::kMisaligned:
      return Status::kBadArgument;
    case Reason::kOutOfMemory:
    case Reason::kOutOfAddresses:
    case Reason::kOutOfTables:
    case Reason::kOutOfNodes:
      return Status::kOutOfMemory;
    default:
      return Status::kRefused;
  }
}

TestDevice::AreaKind kind_of(std::string_view area) {
  using Kind = TestDevice::AreaKind;
  if (area.empty()) {
    return Kind::kNone;
  }
  if (area == "ram") {
    return Kind::kRam;
  }
  if (area == "rom") {
    return Kind::kRom;
  }
  return area == "alias" ? Kind::kAlias : Kind::kOther;
}

}  // namespace

TestDevice::Answer TestDevice::translate(const Arguments& arguments) {
  const auto access = access_from(arguments.value);
  if (!access) {
    return {.status = Status::kBadArgument};
  }
  const GuestTranslation found = inspector_.translate(GuestVirtAddr(arguments.address), *access);
  switch (found.outcome) {
    case GuestTranslation::Outcome::kFault:
      return {.status = Status::kGuestFault, .results = {found.fault_code}};
    case GuestTranslation::Outcome::kTableUnreachable:
      return {.status = Status::kTableUnreachable, .results = {found.gpa.value()}};
    case GuestTranslation::Outcome::kUnknown:
      return {.status = Status::kUnknown};
    case GuestTranslation::Outcome::kTranslated:
      break;
  }
  Answer answer{.results = {found.gpa.value(), found.page_size, bits_of(found.access)}};
  if (const auto page = inspector_.query(found.gpa)) {
    answer.results[3] = bytes_of(page->page_size);
    answer.results[4] = bits_of(page->access);
  }
  return answer;
}

TestDevice::Answer TestDevice::read_memory(const Arguments& arguments) {
  if (arguments.size == 0 || arguments.size > kLargestValue) {
    return {.status = Status::kBadArgument};
  }
  std::uint64_t value = 0;
  const auto bytes = std::as_writable_bytes(std::span(&value, 1)).first(arguments.size);
  const auto start = GuestPhysAddr(arguments.address);
  if (!GuestPhysRange::make(start, arguments.size)) {
    return {.status = Status::kBadArgument};
  }
  if (const auto done = memory_.read(start, bytes); !done) {
    return {.status = status_of(done.error())};
  }
  return {.results = {value}};
}

TestDevice::Answer TestDevice::write_memory(const Arguments& arguments) {
  if (arguments.size == 0 || arguments.size > kLargestValue ||
      !GuestPhysRange::make(GuestPhysAddr(arguments.address), arguments.size)) {
    return {.status = Status::kBadArgument};
  }
  const auto bytes = std::as_bytes(std::span(&arguments.value, 1)).first(arguments.size);
  const auto done = memory_.write(GuestPhysAddr(arguments.address), bytes);
  return {.status = done ? Status::kOk : status_of(done.error())};
}

TestDevice::Answer TestDevice::change(const Arguments& arguments, Command command) {
  const auto range = GuestPhysRange::make(GuestPhysAddr(arguments.address), arguments.size);
  if (!range) {
    return {.status = Status::kBadArgument};
  }
  const auto done =
      command == Command::kPopulate ? inspector_.populate(*range) : inspector_.discard(*range);
  return {.status = done ? Status::kOk : status_of(done.error())};
}

TestDevice::Answer TestDevice::query(const Arguments& arguments) {
  const GuestPhysAddr address(arguments.address);
  Answer answer;
  answer.results[2] = static_cast<std::uint64_t>(kind_of(inspector_.area_at(address)));
  if (const auto page = inspector_.query(address)) {
    answer.results[0] = bytes_of(page->page_size);
    answer.results[1] = bits_of(page->access);
  }
  return answer;
}

TestDevice::Answer TestDevice::run(Command command, const Arguments& arguments) {
  switch (command) {
    case Command::kTranslate:
      return translate(arguments);
    case Command::kRead:
      return read_memory(arguments);
    case Command::kWrite:
      return write_memory(arguments);
    case Command::kPopulate:
    case Command::kDiscard:
      return change(arguments, command);
    case Command::kUsage: {
      const MemoryUsage usage = inspector_.usage();
      return {.results = {usage.resident, usage.mapped}};
    }
    case Command::kQuery:
      return query(arguments);
    case Command::kFaultPath:
      return {.results = {inspector_.fault_path()}};
  }
  return {.status = Status::kBadCommand};
}

std::uint64_t TestDevice::read(std::uint64_t offset, AccessWidth width) {
  if (width.bytes() != kRegisterSize || offset % kRegisterSize != 0) {
    return width.all_ones();
  }
  const std::lock_guard lock(mutex_);
  const Bank& bank = banks_.at(offset / kBankSize);
  const std::uint64_t in_bank = offset % kBankSize;
  switch (static_cast<Register>(in_bank)) {
    case Register::kIdentity:
      return kIdentity;
    case Register::kCommand:
      return static_cast<std::uint64_t>(bank.answer.status);
    case Register::kAddress:
      return bank.arguments.address;
    case Register::kSize:
      return bank.arguments.size;
    case Register::kValue:
      return bank.arguments.value;
    default:
      break;
  }
  const auto first = static_cast<std::uint64_t>(Register::kFirstResult);
  const std::uint64_t index = (in_bank - first) / kRegisterSize;
  return in_bank >= first && index < kResults ? bank.answer.results.at(index) : kAllOnes;
}

void TestDevice::write(std::uint64_t offset, AccessWidth width, std::uint64_t value) {
  if (width.bytes() != kRegisterSize || offset % kRegisterSize != 0) {
    return;
  }
  std::unique_lock lock(mutex_);
  Bank& bank = banks_.at(offset / kBankSize);
  switch (static_cast<Register>(offset % kBankSize)) {
    case Register::kAddress:
      bank.arguments.address = value;
      break;
    case Register::kSize:
      bank.arguments.size = value;
      break;
    case Register::kValue:
      bank.arguments.value = value;
      break;
    case Register::kCommand: {
      const Arguments arguments = bank.arguments;
      lock.unlock();
      const Answer answer = run(static_cast<Command>(value), arguments);
      lock.lock();
      bank.answer = answer;
      break;
    }
    default:
      break;
  }
}

}  // namespace nestling
