// fork, exec, and a poll loop over what the program says.
#include "tests/support/program.h"

#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <span>

#include "base/file_descriptor.h"
#include "tests/support/time_scale.h"

namespace nestling::testing {

namespace {

using std::chrono::steady_clock;

constexpr int kNotExecutable = 127;

struct Pipe {
  UniqueFd read_end;
  UniqueFd write_end;
};

Result<Pipe> make_pipe() {
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) {
    return failure(host_error("pipe", errno));
  }
  return Pipe{UniqueFd(ends[0]), UniqueFd(ends[1])};
}

/// The pipes of one program; the program's ends are closed here once it runs.
struct Pipes {
  Pipe input;
  Pipe output;
  Pipe errors;
};

Result<Pipes> make_pipes(const std::string& text) {
  constexpr std::size_t kPipeCapacity = 65536;
  check(text.size() <= kPipeCapacity, "input that a pipe does not hold");
  auto input = make_pipe();
  auto output = make_pipe();
  auto errors = make_pipe();
  for (const auto* each : {&input, &output, &errors}) {
    if (!*each) {
      return failure(each->error());
    }
  }
  if (auto done = write_all(input->write_end.get(), std::as_bytes(std::span(text))); !done) {
    return failure(done.error());
  }
  input->write_end = UniqueFd();
  return Pipes{*std::move(input), *std::move(output), *std::move(errors)};
}

bool become(unsigned user) {
  return setgroups(0, nullptr) == 0 && setgid(user) == 0 && setuid(user) == 0;
}

/// In the child: only what is safe between fork and exec.
[[noreturn]] void execute(const ProgramCall& call, const Pipes& pipes, char* const* arguments) {
  dup2(pipes.input.read_end.get(), STDIN_FILENO);
  dup2(pipes.output.write_end.get(), STDOUT_FILENO);
  dup2(pipes.errors.write_end.get(), STDERR_FILENO);
  if (call.output == ProgramCall::Output::kClosed) {
    close(STDOUT_FILENO);
  }
  if (!call.user || become(*call.user)) {
    execv(call.path.c_str(), arguments);
  }
  _exit(kNotExecutable);
}

/// Appends what `fd` has to `text`; closes it at its end.
void drain(UniqueFd& fd, std::string& text) {
  std::array<char, 65536> chunk{};
  const ssize_t count = read(fd.get(), chunk.data(), chunk.size());
  if (count > 0) {
    text.append(chunk.data(), static_cast<std::size_t>(count));
  } else if (count == 0 || (errno != EINTR && errno != EAGAIN)) {
    fd = UniqueFd();
  }
}

/// Reads both outputs until both end, sends the signal when its time comes, kills at the deadline.
void attend(const ProgramCall& call, pid_t child, Pipes& pipes, ProgramEnd& end) {
  const auto deadline = steady_clock::now() + scaled(call.timeout);
  bool signal_is_due = call.signal.has_value();
  while (pipes.output.read_end || pipes.errors.read_end) {
    std::array<pollfd, 2> polled = {
        pollfd{.fd = pipes.output.read_end.get(), .events = POLLIN, .revents = 0},
        pollfd{.fd = pipes.errors.read_end.get(), .events = POLLIN, .revents = 0}};
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(deadline - steady_clock::now()).count();
    if (left <= 0 && !end.timed_out) {
      end.timed_out = true;
      kill(child, SIGKILL);
    }
    poll(polled.data(), polled.size(), end.timed_out ? -1 : static_cast<int>(left));
    if (polled[0].revents != 0) {
      drain(pipes.output.read_end, end.output);
    }
    if (polled[1].revents != 0) {
      drain(pipes.errors.read_end, end.errors);
    }
    if (signal_is_due && end.output.find(call.signal->when_output_has) != std::string::npos) {
      signal_is_due = false;
      kill(child, call.signal->number);
    }
  }
}

}  // namespace

Result<ProgramEnd> run_program(const ProgramCall& call) {
  auto pipes = make_pipes(call.input);
  if (!pipes) {
    return failure(pipes.error());
  }
  std::vector<std::string> words = call.arguments;
  words.insert(words.begin(), call.path);
  std::vector<char*> arguments;
  std::transform(words.begin(), words.end(), std::back_inserter(arguments),
                 [](std::string& word) { return word.data(); });
  arguments.push_back(nullptr);

  const pid_t child = fork();
  if (child < 0) {
    return failure(host_error("fork", errno));
  }
  if (child == 0) {
    execute(call, *pipes, arguments.data());
  }
  pipes->input.read_end = UniqueFd();
  pipes->output.write_end = UniqueFd();
  pipes->errors.write_end = UniqueFd();

  ProgramEnd end;
  attend(call, child, *pipes, end);
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFEXITED(status)) {
    end.exit_code = WEXITSTATUS(status);
  } else if (WIFSIGNALED(status)) {
    end.signal = WTERMSIG(status);
  }
  return end;
}

}  // namespace nestling::testing
