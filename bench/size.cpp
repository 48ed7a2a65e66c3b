// How large Nestling is: the stripped program on disk, and what it keeps resident beyond the
// guest's own RAM while a guest runs, beside the bare yardstick.
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <optional>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include <fmt/core.h>

extern char** environ;

namespace {

/// Guest RAM is recognised by its size: no other mapping of either program comes near.
constexpr std::uint64_t kGuestRamFromKilobytes = 65536;

struct Resident {
  std::uint64_t guest_kilobytes = 0;
  std::uint64_t other_kilobytes = 0;
};

/// What /proc/PID/smaps says, guest RAM apart.
Resident resident_of(pid_t pid) {
  std::ifstream smaps(fmt::format("/proc/{}/smaps", pid));
  Resident sum;
  std::uint64_t size = 0;
  for (std::string line; std::getline(smaps, line);) {
    std::istringstream words(line);
    std::string key;
    std::uint64_t kilobytes = 0;
    words >> key >> kilobytes;
    if (key == "Size:") {
      size = kilobytes;
    } else if (key == "Rss:") {
      (size >= kGuestRamFromKilobytes ? sum.guest_kilobytes : sum.other_kilobytes) += kilobytes;
    }
  }
  return sum;
}

/// Runs `words` with a guest that never ends, looks at it once it is at work, ends it.
std::optional<Resident> measure(std::vector<std::string> words) {
  std::vector<char*> argv;
  argv.reserve(words.size() + 1);
  for (std::string& word : words) {
    argv.push_back(word.data());
  }
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions{};
  posix_spawn_file_actions_init(&actions);
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    posix_spawn_file_actions_addopen(&actions, fd, "/dev/null", O_RDWR, 0);
  }
  pid_t pid = -1;
  const int error = posix_spawn(&pid, argv.front(), &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) {
    return std::nullopt;
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(500));
  int status = 0;
  const bool is_running = waitpid(pid, &status, WNOHANG) == 0;
  const Resident resident = resident_of(pid);
  if (is_running) {
    kill(pid, SIGKILL);
    waitpid(pid, &status, 0);
  }
  return is_running ? std::optional(resident) : std::nullopt;
}

bool print_resident(const char* name, const std::vector<std::string>& words) {
  const auto resident = measure(words);
  if (!resident) {
    fmt::print(stderr, "size: {} did not keep running\n", words.front());
    return false;
  }
  fmt::print("{:<14} {:>8} KiB resident beyond guest RAM ({} KiB resident)\n", name,
             resident->other_kilobytes, resident->guest_kilobytes);
  return true;
}

}  // namespace

int main() {
  const std::string build = NESTLING_BUILD_FOLDER;
  struct stat status {};
  if (stat((build + "/bench/nestling.stripped").c_str(), &status) != 0) {
    fmt::print(stderr, "size: bench/nestling.stripped is not built\n");
    return EXIT_FAILURE;
  }
  fmt::print("size: program on disk, and memory while a guest runs\n");
  fmt::print("{:<14} {:>8} KiB stripped (goal: at most 4096)\n", "nestling", status.st_size / 1024);
  const std::string guest = build + "/guest/endless-loop";
  const bool done = print_resident("nestling", {build + "/nestling", "run", guest}) &&
                    print_resident("bare ioctls", {build + "/bench/bare_vm", guest});
  fmt::print("goal for nestling: at most 3072 KiB\n");
  return done ? EXIT_SUCCESS : EXIT_FAILURE;
}
