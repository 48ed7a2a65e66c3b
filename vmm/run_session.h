// RunSession: a machine and everything around it while it runs: console, keys, signals, deadline.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/file_descriptor.h"
#include "base/log.h"
#include "base/result.h"
#include "boot/image.h"
#include "devices/room_listener.h"
#include "vmm/audit/audit_trail.h"
#include "vmm/audit/lazy_symbols.h"
#include "vmm/audit/watch_list.h"
#include "vmm/console_keys.h"
#include "vmm/console_output.h"
#include "vmm/control_loop.h"
#include "vmm/exit_trace.h"
#include "vmm/kvm_system.h"
#include "vmm/machine.h"
#include "vmm/run_options.h"
#include "vmm/run_report.h"
#include "vmm/terminal.h"

namespace nestling {

/// One run from an opened image to a verdict. Used by one thread; the events come from the control
/// loop's.
class RunSession final : private ControlEvents, private RoomListener {
 public:
  /// Both must outlive the session.
  RunSession(const RunOptions& options, const Log& log) : options_(options), log_(log) {}

  RunSession(const RunSession&) = delete;
  RunSession& operator=(const RunSession&) = delete;
  ~RunSession() override = default;

  /// Builds the machine and runs it. `start` is when the process started, `times` is filled in on
  /// the way. Fails, before the guest's first instruction, with the error that prevented the run.
  [[nodiscard]] Result<Verdict> run(const KvmSystem& kvm, const Image& image,
                                    std::chrono::steady_clock::time_point start, RunTimes& times);

  /// After run() succeeded.
  [[nodiscard]] Machine& machine() { return *machine_; }
  [[nodiscard]] const WatchList& watches() const { return watches_; }
  /// What came of the audit; nothing without one.
  [[nodiscard]] std::optional<AuditCounts> audit_counts() const;
  /// What the guest wrote last, perhaps an unfinished line; empty when it wrote nothing.
  [[nodiscard]] std::string last_console_line() const;

 private:
  [[nodiscard]] Result<void> open_console();
  [[nodiscard]] Result<void> open_trace();
  [[nodiscard]] Result<void> open_audit(const Image& image,
                                        std::chrono::steady_clock::time_point start);
  [[nodiscard]] int input_descriptor() const;
  void finish_outputs(Verdict& verdict);
  void send_typed();

  void on_stop_signal(int signal) override;
  void on_deadline() override;
  void on_tick() override;
  [[nodiscard]] std::size_t on_input(std::span<const std::byte> bytes) override;
  void on_input_end() override;
  void has_room() override;

  const RunOptions& options_;
  const Log& log_;
  UniqueFd console_file_;
  std::unique_ptr<ConsoleOutput> console_;
  std::unique_ptr<ExitTrace> trace_;
  std::unique_ptr<LazySymbols> symbols_;
  std::unique_ptr<AuditTrail> audit_;
  WatchList watches_;
  std::unique_ptr<Machine> machine_;

  // The control loop's own.
  bool keys_active_ = false;
  ConsoleKeys keys_;
  std::vector<std::byte> for_guest_;
  std::uint64_t ticks_ = 0;

  /// From the guest's first instruction on. The last member: its thread uses all the others.
  std::unique_ptr<ControlLoop> control_;
};

}  // namespace nestling
