// Spawning, waiting and the statistics of alternating runs.
#include "bench/alternate.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstddef>
#include <cstring>
#include <utility>

#include "base/file_descriptor.h"

extern char** environ;

namespace nestling::bench {

namespace {

using std::chrono::steady_clock;

/// Starts `command` with nothing on standard input and standard error, standard output to `output`.
Result<pid_t> start(const Command& command, int output, int null) {
  std::vector<std::string> words = command.words;
  std::vector<char*> argv;
  argv.reserve(words.size() + 1);
  for (std::string& word : words) {
    argv.push_back(word.data());
  }
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions{};
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, null, STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, null, STDERR_FILENO);
  pid_t pid = -1;
  const int error = posix_spawnp(&pid, argv.front(), &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) {
    return failure(host_error(fmt::format("cannot run {}", command.words.front()), error));
  }
  return pid;
}

/// Waits for `pid`, which must end with the exit code that is expected.
Result<void> finish(const Command& command, pid_t pid) {
  int status = 0;
  while (waitpid(pid, &status, 0) < 0) {
    if (errno != EINTR) {
      return failure(host_error("waitpid", errno));
    }
  }
  if (!WIFEXITED(status) || WEXITSTATUS(status) != command.expected_exit_code) {
    return failure(make_error(ErrorKind::kHostRefused,
                              "{} ended with wait status {:#x}, expected exit code {}",
                              command.name, status, command.expected_exit_code));
  }
  return {};
}

/// Runs `command` once and looks at what it prints.
Result<void> prove(const Command& command, int null) {
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) {
    return failure(host_error("pipe", errno));
  }
  const UniqueFd reader(ends[0]);
  UniqueFd writer(ends[1]);
  const auto pid = start(command, writer.get(), null);
  if (!pid) {
    return failure(pid.error());
  }
  writer = UniqueFd();
  std::string output;
  std::array<char, 4096> piece{};
  ssize_t count = 0;
  while ((count = read(reader.get(), piece.data(), piece.size())) > 0) {
    output.append(piece.data(), static_cast<std::size_t>(count));
  }
  if (auto done = finish(command, *pid); !done) {
    return done;
  }
  if (!command.expected_output.empty() && output != command.expected_output) {
    return failure(make_error(ErrorKind::kHostRefused, "{} prints \"{}\", expected \"{}\"",
                              command.name, output, command.expected_output));
  }
  return {};
}

}  // namespace

Result<std::vector<Series>> run_alternately(std::span<const Command> commands,
                                            unsigned round_count) {
  const UniqueFd null(open("/dev/null", O_RDWR | O_CLOEXEC));
  if (!null) {
    return failure(host_error("/dev/null", errno));
  }
  std::vector<Series> all;
  for (const Command& command : commands) {
    if (auto done = prove(command, null.get()); !done) {
      return failure(done.error());
    }
    all.push_back({command.name, {}});
  }
  for (unsigned round = 0; round < round_count; ++round) {
    for (std::size_t i = 0; i < commands.size(); ++i) {
      const auto before = steady_clock::now();
      const auto pid = start(commands[i], null.get(), null.get());
      if (!pid) {
        return failure(pid.error());
      }
      if (auto done = finish(commands[i], *pid); !done) {
        return failure(done.error());
      }
      all[i].runs.push_back(steady_clock::now() - before);
    }
  }
  return all;
}

std::chrono::nanoseconds median(std::vector<std::chrono::nanoseconds> runs) {
  check(!runs.empty(), "median of nothing");
  const auto middle = runs.begin() + static_cast<std::ptrdiff_t>(runs.size() / 2);
  std::nth_element(runs.begin(), middle, runs.end());
  return *middle;
}

double median_ratio(const Series& over, const Series& under) {
  check(!over.runs.empty() && over.runs.size() == under.runs.size(), "series of different length");
  std::vector<double> ratios;
  for (std::size_t i = 0; i < over.runs.size(); ++i) {
    ratios.push_back(in_ms(over.runs[i]) / in_ms(under.runs[i]));
  }
  const auto middle = ratios.begin() + static_cast<std::ptrdiff_t>(ratios.size() / 2);
  std::nth_element(ratios.begin(), middle, ratios.end());
  return *middle;
}

unsigned rounds_from(std::span<char*> arguments, unsigned otherwise) {
  if (arguments.size() < 2) {
    return otherwise;
  }
  const std::string_view text = arguments[1];
  unsigned rounds = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), rounds);
  return error == std::errc() && end == text.data() + text.size() && rounds > 0 ? rounds
                                                                                : otherwise;
}

double in_ms(std::chrono::nanoseconds duration) {
  return std::chrono::duration<double, std::milli>(duration).count();
}

}  // namespace nestling::bench
