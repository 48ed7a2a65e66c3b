// DeviceZoo: every device on its bus, driven by bytes that a fuzzer or a random generator makes up.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "devices/bus.h"
#include "devices/cmos_rtc.h"
#include "devices/debug_console.h"
#include "devices/exit_register.h"
#include "devices/i8042.h"
#include "devices/pl011.h"
#include "devices/pl031.h"
#include "devices/pvpanic.h"
#include "devices/reset_control.h"
#include "devices/test_device.h"
#include "devices/uart_16550.h"
#include "tests/support/fake_byte_sink.h"
#include "tests/support/fake_guest_memory.h"
#include "tests/support/fake_irq_line.h"
#include "tests/support/fake_memory_inspector.h"
#include "tests/support/fake_power_switch.h"
#include "tests/support/fake_room_listener.h"
#include "tests/support/fake_time.h"

namespace nestling {

/// What a hostile guest can reach. Aborts, by check(), where a device breaks a promise.
class DeviceZoo {
 public:
  DeviceZoo();

  /// Runs the operations that `program` spells: accesses of every width at and around every
  /// register, input, and time that passes. Any bytes are a program.
  void run(std::span<const std::uint8_t> program);

  /// A guest that acknowledges every interrupt and reads all input gets to silence.
  void check_that_all_can_be_silenced();

 private:
  class Program;

  void step(Program& program);
  void access_port(Program& program);
  void access_memory(Program& program);
  void access_primecell(Program& program);
  void access_test_device(Program& program);
  void receive(Program& program);
  static void silence(Uart16550& uart, std::uint64_t stride, const FakeIrqLine& line);
  void silence_primecells();

  FakeByteSink output_;
  FakePowerSwitch power_;
  FakeRoomListener room_;
  FakeTime time_;
  FakeIrqLine port_uart_line_;
  FakeIrqLine memory_uart_line_;
  FakeIrqLine rtc_line_;
  FakeIrqLine pl011_line_;
  FakeIrqLine pl031_line_;

  Uart16550 port_uart_;
  Uart16550 memory_uart_;
  CmosRtc rtc_;
  Pl011 pl011_;
  Pl031 pl031_;
  DebugConsole debug_console_;
  ExitRegister exit_;
  I8042 keyboard_;
  Pvpanic pvpanic_;
  ResetControl reset_;
  testing::FakeGuestMemory guest_memory_;
  FakeMemoryInspector inspector_;
  TestDevice test_;
  PortBus ports_;
  MmioBus memory_;
};

}  // namespace nestling
