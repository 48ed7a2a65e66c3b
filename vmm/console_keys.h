// ConsoleKeys: finds the user's own commands (Ctrl-A and a key) in what goes to the guest.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace nestling {

/// The keys of an interactive console:
///
///     Ctrl-A x        quit
///     Ctrl-A h        show the keys
///     Ctrl-A a        send Ctrl-A to the guest; so does Ctrl-A Ctrl-A
///
/// Pure: it neither reads nor writes anything. One thread at a time. Only for terminals: piped
/// input goes to the guest as it is.
class ConsoleKeys {
 public:
  /// What some bytes of input mean.
  struct Outcome {
    enum class Request : std::uint8_t {
      kNone,
      kHint,  ///< an unknown key followed Ctrl-A: say how to get help
      kHelp,  ///< show help()
      kQuit,  ///< end the run; input behind the key is dropped
    };
    std::vector<std::byte> for_guest;
    Request request = Request::kNone;  ///< the greatest, where there are several
  };

  /// Feeds bytes as they were typed, cut anywhere.
  [[nodiscard]] Outcome feed(std::span<const std::byte> typed);

  /// What kHelp shows, one line a key, each ended by a newline.
  [[nodiscard]] static std::string_view help();
  /// What kHint shows, one line.
  [[nodiscard]] static std::string_view hint();

 private:
  bool escaped_ = false;  // the last byte was Ctrl-A
};

}  // namespace nestling
