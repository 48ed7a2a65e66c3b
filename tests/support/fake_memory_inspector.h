// FakeMemoryInspector: what the test device asks, answered from fields that a test sets.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "devices/memory_inspector.h"

namespace nestling {

/// Remembers what it was asked to do.
class FakeMemoryInspector final : public MemoryInspector {
 public:
  struct Asked {
    GuestVirtAddr address;
    GuestAccess access;
  };

  [[nodiscard]] GuestTranslation translate(GuestVirtAddr address, GuestAccess access) override {
    asked.push_back({address, access});
    return translation;
  }
  [[nodiscard]] Result<void, SpaceError> populate(GuestPhysRange range) override {
    populated.push_back(range);
    return answer();
  }
  [[nodiscard]] Result<void, SpaceError> discard(GuestPhysRange range) override {
    discarded.push_back(range);
    return answer();
  }
  [[nodiscard]] MemoryUsage usage() override { return {.resident = 0x5000, .mapped = 0x10'0000}; }
  [[nodiscard]] Result<PageInfo, Missing> query(GuestPhysAddr address) override {
    const auto page = pages.find(address.value());
    if (page == pages.end()) {
      return failure(Missing::kNotPopulated);
    }
    return page->second;
  }
  [[nodiscard]] std::string_view area_at(GuestPhysAddr /*address*/) override { return area; }
  [[nodiscard]] std::uint64_t fault_path() override { return 4; }

  GuestTranslation translation;
  std::map<std::uint64_t, PageInfo> pages;
  std::string area;
  std::optional<SpaceError::Reason> refusal;

  std::vector<Asked> asked;
  std::vector<GuestPhysRange> populated;
  std::vector<GuestPhysRange> discarded;

 private:
  [[nodiscard]] Result<void, SpaceError> answer() const {
    if (refusal) {
      SpaceError error;
      error.reason = *refusal;
      return failure(std::move(error));
    }
    return {};
  }
};

}  // namespace nestling
