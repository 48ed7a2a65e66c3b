// TestBench: the test device of one machine, and what it asks about that machine's memory.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <string_view>
#include <vector>

#include "addrspace/space_memory.h"
#include "devices/memory_inspector.h"
#include "devices/test_device.h"
#include "vmm/memory/guest_memory_config.h"
#include "vmm/memory/guest_ram.h"
#include "vmm/vcpu_runner.h"

namespace nestling {

/// For `--test-device` only.
class TestBench final : private MemoryInspector {
 public:
  /// All must outlive this; `path` is how pages come into being. `runners` may be filled later,
  /// before the first of them runs.
  TestBench(GuestRam& ram, LazyPath path, const std::vector<std::unique_ptr<VcpuRunner>>& runners)
      : ram_(ram),
        path_(path),
        runners_(runners),
        memory_(ram.space(), {.kind = Actor::Kind::kDevice}),
        device_(memory_, *this) {}

  TestBench(const TestBench&) = delete;
  TestBench& operator=(const TestBench&) = delete;
  ~TestBench() override = default;

  [[nodiscard]] Device& device() { return device_; }

 private:
  [[nodiscard]] GuestTranslation translate(GuestVirtAddr address, GuestAccess access) override;
  [[nodiscard]] Result<void, SpaceError> populate(GuestPhysRange range) override;
  [[nodiscard]] Result<void, SpaceError> discard(GuestPhysRange range) override;
  [[nodiscard]] MemoryUsage usage() override;
  [[nodiscard]] Result<PageInfo, Missing> query(GuestPhysAddr address) override;
  [[nodiscard]] std::string_view area_at(GuestPhysAddr address) override;
  [[nodiscard]] std::uint64_t fault_path() override;

  void learn();

  GuestRam& ram_;
  const LazyPath path_;
  const std::vector<std::unique_ptr<VcpuRunner>>& runners_;
  SpaceMemory memory_;
  std::mutex learning_;
  TestDevice device_;
};

}  // namespace nestling
