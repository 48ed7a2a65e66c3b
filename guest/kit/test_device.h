// The test device: asking the VMM what it knows of memory, from any CPU.
#pragma once

#include <cstdint>

#include "guest/abi.h"

namespace nestling::guest {

/// True when the machine has one.
[[nodiscard]] bool has_test_device();

/// What kTranslate answers.
struct Translation {
  TestStatus status = TestStatus::kUnknown;
  std::uint64_t phys = 0;
  std::uint64_t page_size = 0;      // of the guest's tables
  std::uint64_t rights = 0;         // they give
  std::uint64_t vmm_page_size = 0;  // 0 where the VMM has no page yet
  std::uint64_t vmm_rights = 0;
  std::uint64_t fault_code = 0;  // with kGuestFault
};
/// `access`: kTestWrite, kTestFetch, kTestUser or'ed.
[[nodiscard]] Translation vmm_translation(std::uint64_t virt, std::uint64_t access);

/// A page as the VMM sees it.
struct VmmPage {
  std::uint64_t size = 0;  // 0 where there is none yet
  std::uint64_t rights = 0;
  TestAreaKind area = TestAreaKind::kNone;
};
[[nodiscard]] VmmPage vmm_page(std::uint64_t phys);

/// 8 bytes read or written as a device would, which must succeed.
[[nodiscard]] std::uint64_t device_read(std::uint64_t phys);
void device_write(std::uint64_t phys, std::uint64_t value);

/// The same, of 1 to 8 bytes, which may fail. Of a read, `value` is what was read.
struct DeviceAccess {
  TestStatus status = TestStatus::kUnknown;
  std::uint64_t value = 0;
};
[[nodiscard]] DeviceAccess try_device_read(std::uint64_t phys, std::uint64_t size);
[[nodiscard]] TestStatus try_device_write(std::uint64_t phys, std::uint64_t size,
                                          std::uint64_t value);

/// Whole pages. From discard() on they are zero.
[[nodiscard]] TestStatus populate(std::uint64_t phys, std::uint64_t size);
[[nodiscard]] TestStatus discard(std::uint64_t phys, std::uint64_t size);

/// Bytes of memory that the VMM has for this machine.
[[nodiscard]] std::uint64_t resident_bytes();

[[nodiscard]] TestFaultPath fault_path();

/// Prints what `test` is, and ends the run with kStatusUnexpected, when there is no test device.
void need_test_device();

}  // namespace nestling::guest
