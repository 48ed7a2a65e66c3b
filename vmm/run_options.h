// RunOptions: everything the command line says about a run.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/log.h"
#include "boot/open_image.h"
#include "vmm/audit/watch_list.h"
#include "vmm/exit_handler.h"
#include "vmm/memory/guest_memory_config.h"
#include "vmm/verdict.h"

namespace nestling {

/// Where the guest's console goes.
struct ConsoleTarget {
  enum class Kind : std::uint8_t { kStdio, kNone, kFile };
  Kind kind = Kind::kStdio;
  std::string path;  ///< for kFile
};

/// Whether and where a map of the guest's memory is drawn when the run is over.
struct MapTarget {
  enum class Kind : std::uint8_t { kNone, kText, kSvg };
  Kind kind = Kind::kNone;
  std::string path;  ///< for kSvg
};

/// Whether the machine gets interrupt controllers.
enum class IrqchipChoice : std::uint8_t { kAsImageNeeds, kOn, kOff };

struct RunOptions {
  ImageSource image;
  GuestMemoryConfig memory;
  std::uint32_t vcpu_count = 1;
  std::string command_line;
  /// Counts from the guest's first instruction.
  std::optional<std::chrono::milliseconds> timeout;
  UnclaimedPolicy unclaimed = UnclaimedPolicy::kGoOn;
  ConsoleTarget console;
  MapTarget map;
  bool test_device = false;
  IrqchipChoice irqchip = IrqchipChoice::kAsImageNeeds;
  ExitCodeStyle exit_code_style = ExitCodeStyle::kPlain;
  std::string kvm_device = "/dev/kvm";
  std::optional<std::string> report_path;  ///< --json
  std::optional<std::string> trace_path;   ///< --trace-exits
  std::optional<std::string> audit_path;   ///< --audit
  std::uint64_t audit_limit = UINT64_MAX;  ///< events
  std::vector<WatchRequest> watches;
  Verbosity verbosity = Verbosity::kNormal;
  /// The process's arguments, for the report.
  std::vector<std::string> arguments;
};

}  // namespace nestling
