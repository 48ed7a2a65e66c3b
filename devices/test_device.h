// TestDevice: through which a guest kernel compares its own idea of memory with the VMM's.
#pragma once

#include <array>
#include <cstdint>
#include <mutex>

#include "addrspace/guest_memory.h"
#include "devices/device.h"
#include "devices/memory_inspector.h"

namespace nestling {

/// Registers of 8 bytes in banks, one bank for each CPU so that CPUs do not disturb each other: a
/// kernel writes arguments, then a command, which is done when the write is, then reads status and
/// results. Accesses of another width or alignment read all ones and write nothing. Whatever a
/// guest writes comes to a status. Any thread may call it.
class TestDevice final : public Device {
 public:
  static constexpr std::uint64_t kBanks = 16;
  static constexpr std::uint64_t kBankSize = 0x100;
  static constexpr std::uint64_t kSize = kBanks * kBankSize;
  /// "TESTNEST" as the bytes stand in memory.
  static constexpr std::uint64_t kIdentity = 0x5453'454e'5453'4554;

  /// Offsets in a bank.
  enum class Register : std::uint64_t {
    kIdentity = 0x00,  ///< reads kIdentity
    kCommand = 0x08,   ///< a Command when written, the Status of the last one when read
    kAddress = 0x10,
    kSize = 0x18,
    kValue = 0x20,
    kFirstResult = 0x40,  ///< and the others behind it
  };
  static constexpr std::uint64_t kResults = 5;

  enum class Command : std::uint64_t {
    /// kAddress: guest-virtual; kValue: kWrite, kFetch, kUser or'ed. Results: guest-physical
    /// address; bytes of the guest's page; rights its tables give; bytes of the page of stage 2, 0
    /// where nothing is populated; rights of the area. With kGuestFault: the fault's code.
    kTranslate = 1,
    /// kAddress: guest-physical; kSize: 1 to 8 bytes. Result: the value.
    kRead = 2,
    /// The same, of kValue.
    kWrite = 3,
    /// kAddress, kSize: whole pages.
    kPopulate = 4,
    kDiscard = 5,
    /// Results: bytes resident, bytes mapped.
    kUsage = 6,
    /// kAddress: guest-physical. Results: bytes of the page of stage 2, 0 where nothing is
    /// populated; rights of the page; AreaKind.
    kQuery = 7,
    /// Result: the fault path's number, in the order of --lazy's words from 0 for auto.
    kFaultPath = 8,
  };
  enum class Status : std::uint64_t {
    kOk = 0,
    kBadCommand = 1,
    kBadArgument = 2,
    kUnmapped = 3,     ///< no memory there
    kDenied = 4,       ///< the area's rights refuse
    kOutOfMemory = 5,  ///< the host has no memory for it
    kRefused = 6,      ///< not possible with that area
    kGuestFault = 7,   ///< the guest's own tables refuse
    kTableUnreachable = 8,
    kUnknown = 9,
  };
  enum class AreaKind : std::uint64_t { kNone = 0, kRam = 1, kRom = 2, kAlias = 3, kOther = 4 };
  /// Of an access to be translated.
  static constexpr std::uint64_t kWrite = 1;
  static constexpr std::uint64_t kFetch = 2;
  static constexpr std::uint64_t kUser = 4;
  /// Rights in results.
  static constexpr std::uint64_t kReadable = 1;
  static constexpr std::uint64_t kWritable = 2;
  static constexpr std::uint64_t kExecutable = 4;

  /// Both must outlive the device.
  TestDevice(GuestMemory& memory, MemoryInspector& inspector)
      : memory_(memory), inspector_(inspector) {}

  [[nodiscard]] std::uint64_t read(std::uint64_t offset, AccessWidth width) override;
  void write(std::uint64_t offset, AccessWidth width, std::uint64_t value) override;

 private:
  struct Arguments {
    std::uint64_t address = 0;
    std::uint64_t size = 0;
    std::uint64_t value = 0;
  };
  struct Answer {
    Status status = Status::kOk;
    std::array<std::uint64_t, kResults> results{};
  };
  struct Bank {
    Arguments arguments;
    Answer answer;
  };

  [[nodiscard]] Answer run(Command command, const Arguments& arguments);
  [[nodiscard]] Answer translate(const Arguments& arguments);
  [[nodiscard]] Answer read_memory(const Arguments& arguments);
  [[nodiscard]] Answer write_memory(const Arguments& arguments);
  [[nodiscard]] Answer change(const Arguments& arguments, Command command);
  [[nodiscard]] Answer query(const Arguments& arguments);

  GuestMemory& memory_;
  MemoryInspector& inspector_;
  std::mutex mutex_;  ///< guards the banks, not held while a command runs
  std::array<Bank, kBanks> banks_{};
};

}  // namespace nestling
