// Starting a thread, with a host that refuses one as an error instead of an exception.
#pragma once

#include <system_error>
#include <thread>
#include <utility>

#include "base/result.h"

namespace nestling {

/// A running thread that calls `body()`. Fails with kHostRefused when the host has no thread to
/// give; `purpose` completes "cannot start a thread for …".
template <typename Body>
[[nodiscard]] Result<std::thread> start_thread(std::string_view purpose, Body body) {
  try {
    return std::thread(std::move(body));
  } catch (const std::system_error& refused) {
    return failure(
        host_error(fmt::format("cannot start a thread for {}", purpose), refused.code().value()));
  }
}

}  // namespace nestling
