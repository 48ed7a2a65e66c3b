// The width of addresses, from CPUID.
#include "vmm/x86_64/paging_features.h"

#include <cpuid.h>

#include <algorithm>

namespace nestling::x86_64 {

PagingFeatures paging_features() {
  constexpr unsigned kAddressSizes = 0x8000'0008;
  PagingFeatures features;
  unsigned eax = 0;
  unsigned ebx = 0;
  unsigned ecx = 0;
  unsigned edx = 0;
  if (__get_cpuid(kAddressSizes, &eax, &ebx, &ecx, &edx) != 0) {
    features.physical_address_bits = static_cast<std::uint8_t>(std::clamp(eax & 0xffU, 32U, 52U));
  }
  return features;
}

}  // namespace nestling::x86_64
