// FakeStage2: a page-by-page map from guest to host addresses over one array, every rule set by
// hand.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <vector>

#include "addrspace/translate_virt.h"

namespace nestling {

/// Stage 2 for tests: 4 KiB pages, each mapped by itself. Host addresses are offsets in an array.
class FakeStage2 final : public Stage2 {
 public:
  explicit FakeStage2(std::uint64_t host_size) : host_(host_size) {}

  void map(std::uint64_t gpa, std::uint64_t hpa, Access access,
           std::uint64_t page_size = kPageSize) {
    pages_[gpa] = {HostPhysAddr(hpa), page_size, access};
  }
  /// From now on the page at `gpa` is missing for this reason.
  void unmap(std::uint64_t gpa, Stage2Fault::Reason reason) {
    pages_.erase(gpa);
    missing_[gpa] = reason;
  }
  void set64(std::uint64_t hpa, std::uint64_t value) {
    std::memcpy(&host_.at(hpa), &value, sizeof value);
  }
  [[nodiscard]] std::uint64_t get64(std::uint64_t hpa) const {
    std::uint64_t value = 0;
    std::memcpy(&value, &host_.at(hpa), sizeof value);
    return value;
  }

  [[nodiscard]] Result<Stage2Page, Stage2Fault> translate(GuestPhysAddr gpa) override {
    const GuestPhysAddr page = gpa.aligned_down(kPageSize);
    const auto found = pages_.find(page.value());
    if (found == pages_.end()) {
      const auto reason = missing_.find(page.value());
      return failure(Stage2Fault{
          reason == missing_.end() ? Stage2Fault::Reason::kNoArea : reason->second, gpa, {}});
    }
    Stage2Page result = found->second;
    result.hpa = result.hpa + gpa.offset_from(page);
    return result;
  }

  [[nodiscard]] std::span<std::byte> bytes(HostPhysRange range) override {
    check(range.start().value() < host_.size() &&
              range.size() <= host_.size() - range.start().value(),
          "the walk asked for bytes outside the page");
    return std::span(host_).subspan(range.start().value(), range.size());
  }

 private:
  std::vector<std::byte> host_;
  std::map<std::uint64_t, Stage2Page> pages_;
  std::map<std::uint64_t, Stage2Fault::Reason> missing_;
};

}  // namespace nestling
