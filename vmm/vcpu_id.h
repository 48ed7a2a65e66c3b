// VcpuId: the number of a vCPU, from 0, as a type of its own.
#pragma once

#include <cstdint>

#include "addrspace/audit_log.h"

namespace nestling {

enum class VcpuId : std::uint32_t {};

[[nodiscard]] constexpr std::uint32_t index_of(VcpuId id) { return static_cast<std::uint32_t>(id); }

/// The vCPU as one that touches memory.
[[nodiscard]] constexpr Actor actor_of(VcpuId id) {
  return {.kind = Actor::Kind::kVcpu, .index = index_of(id)};
}

}  // namespace nestling
