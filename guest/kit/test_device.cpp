// Arguments, command, status, results: in the calling CPU's bank.
#include "guest/kit/test_device.h"

#include "guest/kit/boot_info.h"
#include "guest/kit/expect.h"
#include "guest/kit/physical.h"
#include "guest/kit/smp.h"

namespace nestling::guest {
namespace {

/// What a command takes; which of it depends on the command.
struct Arguments {
  std::uint64_t address = 0;
  std::uint64_t size = 0;
  std::uint64_t value = 0;
};

/// The calling CPU's bank of registers.
class Bank {
 public:
  Bank() : base_(kMmioTest + kTestBankSize * (this_cpu() % kTestBanks)) {}

  TestStatus run(TestCommand command, const Arguments& arguments) const {
    at(TestRegister::kAddress) = arguments.address;
    at(TestRegister::kSize) = arguments.size;
    at(TestRegister::kValue) = arguments.value;
    at(TestRegister::kCommand) = static_cast<std::uint64_t>(command);
    return static_cast<TestStatus>(std::uint64_t{at(TestRegister::kCommand)});
  }

  [[nodiscard]] std::uint64_t result(std::uint64_t index) const {
    return *at_address<volatile std::uint64_t>(
        base_ + static_cast<std::uint64_t>(TestRegister::kFirstResult) + 8 * index);
  }

 private:
  [[nodiscard]] volatile std::uint64_t& at(TestRegister which) const {
    return *at_address<volatile std::uint64_t>(base_ + static_cast<std::uint64_t>(which));
  }

  std::uint64_t base_;
};

}  // namespace

bool has_test_device() {
  // NOLINTNEXTLINE(readability-use-anyofallof): kernels have no <algorithm>.
  for (const DeviceEntry& device : devices(boot_info())) {
    if (device.kind == DeviceKind::kTest) {
      return true;
    }
  }
  return false;
}

void need_test_device() { expect(has_test_device(), "a test device: run with --test-device"); }

Translation vmm_translation(std::uint64_t virt, std::uint64_t access) {
  const Bank bank;
  Translation found;
  found.status = bank.run(TestCommand::kTranslate, {.address = virt, .value = access});
  if (found.status == TestStatus::kGuestFault) {
    found.fault_code = bank.result(0);
  } else if (found.status == TestStatus::kOk) {
    found.phys = bank.result(0);
    found.page_size = bank.result(1);
    found.rights = bank.result(2);
    found.vmm_page_size = bank.result(3);
    found.vmm_rights = bank.result(4);
  }
  return found;
}

VmmPage vmm_page(std::uint64_t phys) {
  const Bank bank;
  const TestStatus status = bank.run(TestCommand::kQuery, {.address = phys});
  expect(status == TestStatus::kOk, "an answer about {}", hex(phys));
  return {.size = bank.result(0),
          .rights = bank.result(1),
          .area = static_cast<TestAreaKind>(bank.result(2))};
}

DeviceAccess try_device_read(std::uint64_t phys, std::uint64_t size) {
  const Bank bank;
  DeviceAccess access;
  access.status = bank.run(TestCommand::kRead, {.address = phys, .size = size});
  access.value = bank.result(0);
  return access;
}

TestStatus try_device_write(std::uint64_t phys, std::uint64_t size, std::uint64_t value) {
  return Bank().run(TestCommand::kWrite, {.address = phys, .size = size, .value = value});
}

std::uint64_t device_read(std::uint64_t phys) {
  const DeviceAccess access = try_device_read(phys, 8);
  expect(access.status == TestStatus::kOk, "the device to read {}, not status {}", hex(phys),
         static_cast<std::uint64_t>(access.status));
  return access.value;
}

void device_write(std::uint64_t phys, std::uint64_t value) {
  const TestStatus status = try_device_write(phys, 8, value);
  expect(status == TestStatus::kOk, "the device to write {}, not status {}", hex(phys),
         static_cast<std::uint64_t>(status));
}

TestStatus populate(std::uint64_t phys, std::uint64_t size) {
  return Bank().run(TestCommand::kPopulate, {.address = phys, .size = size});
}

TestStatus discard(std::uint64_t phys, std::uint64_t size) {
  return Bank().run(TestCommand::kDiscard, {.address = phys, .size = size});
}

std::uint64_t resident_bytes() {
  const Bank bank;
  expect(bank.run(TestCommand::kUsage, {}) == TestStatus::kOk, "a count of resident bytes");
  return bank.result(0);
}

TestFaultPath fault_path() {
  const Bank bank;
  expect(bank.run(TestCommand::kFaultPath, {}) == TestStatus::kOk, "the fault path");
  return static_cast<TestFaultPath>(bank.result(0));
}

}  // namespace nestling::guest
