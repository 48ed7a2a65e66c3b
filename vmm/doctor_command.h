// `nestling doctor`: says whether this host can run Nestling, how well, and how to mend what is
// wrong.
#pragma once

#include <cstdint>
#include <string>

#include "vmm/doctor_report.h"

namespace nestling {

enum class DoctorFormat : std::uint8_t { kText, kJson };

struct DoctorOptions {
  DoctorFormat format = DoctorFormat::kText;
  std::string device = "/dev/kvm";
};

/// Looks at everything; where KVM can be used, runs two tiny guests for some milliseconds.
[[nodiscard]] DoctorReport examine_host(const DoctorOptions& options);

/// examine_host(), printed to standard output. Returns the exit code: 0 when Nestling can run here,
/// 69 when not, 71 when standard output cannot be written.
[[nodiscard]] int doctor(const DoctorOptions& options);

}  // namespace nestling
