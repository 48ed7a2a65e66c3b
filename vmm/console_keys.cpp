// The two-state parser behind the console's keys.
#include "vmm/console_keys.h"

#include <algorithm>

namespace nestling {

namespace {

constexpr std::byte kCtrlA{0x01};

}  // namespace

ConsoleKeys::Outcome ConsoleKeys::feed(std::span<const std::byte> typed) {
  using Request = Outcome::Request;
  Outcome outcome;
  for (const std::byte key : typed) {
    if (!escaped_) {
      if (key == kCtrlA) {
        escaped_ = true;
      } else {
        outcome.for_guest.push_back(key);
      }
      continue;
    }
    escaped_ = false;
    switch (std::to_integer<char>(key)) {
      case 'x':
        outcome.request = Request::kQuit;
        return outcome;
      case 'h':
        outcome.request = std::max(outcome.request, Request::kHelp);
        break;
      case 'a':
      case std::to_integer<char>(kCtrlA):
        outcome.for_guest.push_back(kCtrlA);
        break;
      default:
        outcome.request = std::max(outcome.request, Request::kHint);
        break;
    }
  }
  return outcome;
}

std::string_view ConsoleKeys::help() {
  return "Ctrl-A x  quit\n"
         "Ctrl-A h  show these keys\n"
         "Ctrl-A a  send Ctrl-A to the guest\n";
}

std::string_view ConsoleKeys::hint() { return "unknown key; Ctrl-A h shows the keys\n"; }

}  // namespace nestling
