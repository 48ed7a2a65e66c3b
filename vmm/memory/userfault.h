// Userfault: Linux's userfaultfd.
#pragma once

#include <memory>

#include "addrspace/host_mapping.h"
#include "base/file_descriptor.h"
#include "vmm/memory/page_fault_source.h"

namespace nestling {

/// Faults of the kernel on our behalf are told, too: KVM reaches guest memory so.
class Userfault final : public PageFaultSource {
 public:
  /// By /dev/userfaultfd, else by the system call, whichever is permitted. Fails with kHostRefused,
  /// and what to do about it.
  [[nodiscard]] static Result<std::unique_ptr<Userfault>> open();

  [[nodiscard]] Result<void> watch(std::span<std::byte> memory) override;
  [[nodiscard]] Result<void> unwatch(std::span<std::byte> memory) override;
  [[nodiscard]] Result<void> install_zeros(std::span<std::byte> memory) override;
  void wake(std::span<std::byte> memory) override;
  void release(std::span<std::byte> page) override;
  [[nodiscard]] bool wait(std::vector<PageFault>& faults) override;
  void stop() override;

 private:
  [[nodiscard]] bool install_huge_page(std::span<std::byte> block);

  Userfault(UniqueFd fd, UniqueFd stop, HostMapping zeros)
      : fd_(std::move(fd)), stop_(std::move(stop)), zeros_(std::move(zeros)) {}

  UniqueFd fd_;
  UniqueFd stop_;      // an eventfd
  HostMapping zeros_;  // what is copied into new pages
};

}  // namespace nestling
