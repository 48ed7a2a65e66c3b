// The first program in a bed: loads modules, runs one program, and tells the host all about it.
//
// What to do stands in files that the host packed beside it, each a list of words that end in NUL:
//   /bed/modules      kernel modules to load, in this order
//   /bed/arguments    the program and its arguments
//   /bed/environment  NAME=VALUE
//   /bed/results      files and folders that the host wants back
// What happens goes to the host in frames through a virtio serial port; tests/beds/bed/channel.py
// reads them. The kernel's console gets only what makes a bed fail before that port is there.
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

namespace {

constexpr std::size_t kChunk = 32768;  // what the port's driver takes at a time

/// What a frame is about; a frame is this byte, the payload's size (32 bits, little-endian) and the
/// payload.
enum class Frame : char {
  kBegun = 'B',       // the program starts now
  kOutput = 'O',      // a piece of its standard output
  kErrors = 'E',      // a piece of its standard error
  kFolder = 'D',      // a folder the host wants back: its path
  kFile = 'F',        // a file the host wants back: its mode in octal, a space, its path
  kContent = 'C',     // a piece of the last file
  kMissing = 'M',     // something the host wants back and that is not there: its path, and why
  kExitStatus = 'X',  // the end: the exit status in decimal, 128 + N after signal N
  kFailure = '!',     // the end: why the program could not be run
};

/// The machine ends here, and the console's last line says why.
[[noreturn]] void give_up(const std::string& why) {
  const std::string line = "bed: " + why + "\n";
  [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, line.data(), line.size());
  reboot(RB_AUTOBOOT);  // the host's QEMU takes a restart for the end
  for (;;) {
    pause();
  }
}

std::string with_error(const std::string& what) { return what + ": " + std::strerror(errno); }

/// The port to the host.
class Channel {
 public:
  explicit Channel(int port) : port_(port) {}

  void send(Frame frame, std::string_view payload) const {
    do {
      const std::string_view piece = payload.substr(0, kChunk);
      std::string bytes(1, static_cast<char>(frame));
      for (unsigned shift = 0; shift < 32; shift += 8) {
        bytes += static_cast<char>((piece.size() >> shift) & 0xff);
      }
      bytes += piece;
      write_all(bytes);
      payload.remove_prefix(piece.size());
    } while (!payload.empty());
  }

  /// Sends the last word and waits for the host, which then ends the machine.
  [[noreturn]] void finish(Frame frame, const std::string& payload) const {
    send(frame, payload);
    for (;;) {
      pause();
    }
  }

 private:
  void write_all(std::string_view bytes) const {
    while (!bytes.empty()) {
      const ssize_t count = write(port_, bytes.data(), bytes.size());
      if (count < 0 && errno != EINTR && errno != EAGAIN) {
        give_up(with_error("cannot write to the host"));
      }
      bytes.remove_prefix(count > 0 ? static_cast<std::size_t>(count) : 0);
    }
  }

  int port_;
};

/// Calls `take` with each piece of the file at `path`; false when it cannot be read.
template <typename Take>
bool read_file(const std::string& path, Take take) {
  const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) {
    return false;
  }
  std::array<char, kChunk> chunk{};
  ssize_t count = 0;
  while ((count = read(file, chunk.data(), chunk.size())) > 0) {
    take(std::string_view(chunk.data(), static_cast<std::size_t>(count)));
  }
  close(file);
  return count == 0;
}

/// The words of one of the host's lists.
std::vector<std::string> words_of(const std::string& path) {
  std::string text;
  if (!read_file(path, [&text](std::string_view piece) { text += piece; })) {
    give_up(with_error(path));
  }
  std::vector<std::string> words;
  for (std::size_t start = 0; start < text.size();) {
    const std::size_t end = text.find('\0', start);
    words.push_back(text.substr(start, end - start));
    start = end + 1;
  }
  return words;
}

void mount_or_give_up(const char* type, const char* where, const char* options) {
  mkdir(where, 0755);
  if (mount(type, where, type, 0, options) != 0) {
    give_up(with_error(std::string("mount ") + where));
  }
}

void mount_all() {
  mount_or_give_up("devtmpfs", "/dev", "");
  mount_or_give_up("devpts", "/dev/pts", "ptmxmode=666");
  mount_or_give_up("tmpfs", "/dev/shm", "mode=1777");
  mount_or_give_up("proc", "/proc", "");
  mount_or_give_up("sysfs", "/sys", "");
  mount_or_give_up("tmpfs", "/tmp", "mode=1777");
  symlink("/proc/self/fd", "/dev/fd");
}

void load_modules() {
  for (const std::string& path : words_of("/bed/modules")) {
    const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (file < 0 || syscall(SYS_finit_module, file, "", 0) != 0) {
      give_up(with_error("cannot load " + path));
    }
    close(file);
  }
}

/// The kernel makes the port's device a moment after its driver is loaded.
Channel open_channel() {
  constexpr const char* kPort = "/dev/vport0p1";
  constexpr int kAttempts = 10000;
  constexpr useconds_t kMicrosecondsBetween = 1000;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    const int port = open(kPort, O_WRONLY | O_CLOEXEC);
    if (port >= 0) {
      return Channel(port);
    }
    usleep(kMicrosecondsBetween);
  }
  give_up(with_error(kPort));
}

void lift_limits() {
  constexpr rlim_t kOpenFiles = 1048576;
  const rlimit files{.rlim_cur = kOpenFiles, .rlim_max = kOpenFiles};
  const rlimit locked{.rlim_cur = RLIM_INFINITY, .rlim_max = RLIM_INFINITY};
  if (setrlimit(RLIMIT_NOFILE, &files) != 0 || setrlimit(RLIMIT_MEMLOCK, &locked) != 0) {
    give_up(with_error("setrlimit"));
  }
}

std::vector<char*> pointers_to(std::vector<std::string>& words) {
  std::vector<char*> pointers;
  pointers.reserve(words.size() + 1);
  for (std::string& word : words) {
    pointers.push_back(word.data());
  }
  pointers.push_back(nullptr);
  return pointers;
}

/// The program on its way: where its words come out, and how its end is noticed.
class Program {
 public:
  /// Starts it; SIGCHLD must be blocked.
  Program(const Channel& channel, std::vector<std::string> arguments,
          std::vector<std::string> environment)
      : channel_(channel) {
    std::array<int, 2> output{};
    std::array<int, 2> errors{};
    std::array<int, 2> refusal{};  // closes with exec, or carries errno
    if (pipe2(output.data(), O_CLOEXEC) != 0 || pipe2(errors.data(), O_CLOEXEC) != 0 ||
        pipe2(refusal.data(), O_CLOEXEC) != 0) {
      channel_.finish(Frame::kFailure, with_error("pipe"));
    }
    const std::vector<char*> argument_pointers = pointers_to(arguments);
    const std::vector<char*> environment_pointers = pointers_to(environment);
    process_ = fork();
    if (process_ < 0) {
      channel_.finish(Frame::kFailure, with_error("fork"));
    }
    if (process_ == 0) {
      execute(argument_pointers.data(), environment_pointers.data(), output[1], errors[1]);
      const int error = errno;
      _exit(write(refusal[1], &error, sizeof error) == sizeof error ? 0 : 1);
    }
    for (const int end : {output[1], errors[1], refusal[1]}) {
      close(end);
    }
    int error = 0;
    if (read(refusal[0], &error, sizeof error) > 0) {
      errno = error;
      channel_.finish(Frame::kFailure, with_error("cannot execute " + arguments.front()));
    }
    close(refusal[0]);
    streams_[0] = {.fd = output[0], .frame = Frame::kOutput};
    streams_[1] = {.fd = errors[0], .frame = Frame::kErrors};
    for (const Stream& stream : streams_) {
      fcntl(stream.fd, F_SETFL, O_NONBLOCK);
    }
  }

  /// Passes on what the program says until it ends; its exit status, 128 + N after signal N. What
  /// it started and left running does not count.
  int attend() {
    sigset_t child_signal{};
    sigemptyset(&child_signal);
    sigaddset(&child_signal, SIGCHLD);
    const int children = signalfd(-1, &child_signal, SFD_CLOEXEC | SFD_NONBLOCK);
    while (!has_ended()) {
      std::array<pollfd, 3> polled = {pollfd{.fd = streams_[0].fd, .events = POLLIN, .revents = 0},
                                      pollfd{.fd = streams_[1].fd, .events = POLLIN, .revents = 0},
                                      pollfd{.fd = children, .events = POLLIN, .revents = 0}};
      poll(polled.data(), polled.size(), -1);
      signalfd_siginfo ignored{};
      while (read(children, &ignored, sizeof ignored) > 0) {
      }
      pass_on();
    }
    pass_on();
    return WIFEXITED(status_) ? WEXITSTATUS(status_) : 128 + WTERMSIG(status_);
  }

 private:
  struct Stream {
    int fd = -1;
    Frame frame = Frame::kOutput;
  };

  static void execute(char* const* arguments, char* const* environment, int output, int errors) {
    sigset_t none{};
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
    setsid();
    dup2(open("/dev/null", O_RDONLY | O_CLOEXEC), STDIN_FILENO);
    dup2(output, STDOUT_FILENO);
    dup2(errors, STDERR_FILENO);
    execve(arguments[0], arguments, environment);
  }

  /// Reaps whatever has ended, orphans included.
  bool has_ended() {
    int status = 0;
    pid_t process = 0;
    bool ended = false;
    while ((process = waitpid(-1, &status, WNOHANG)) > 0) {
      if (process == process_) {
        status_ = status;
        ended = true;
      }
    }
    return ended;
  }

  void pass_on() {
    std::array<char, kChunk> chunk{};
    for (Stream& stream : streams_) {
      ssize_t count = 0;
      while (stream.fd >= 0 && (count = read(stream.fd, chunk.data(), chunk.size())) > 0) {
        channel_.send(stream.frame, {chunk.data(), static_cast<std::size_t>(count)});
      }
      if (stream.fd >= 0 && count == 0) {
        close(stream.fd);
        stream.fd = -1;
      }
    }
  }

  const Channel& channel_;
  pid_t process_ = -1;
  int status_ = 0;
  std::array<Stream, 2> streams_;
};

void send_tree(const Channel& channel, const std::string& path) {
  struct stat status {};
  if (stat(path.c_str(), &status) != 0) {
    channel.send(Frame::kMissing, with_error(path));
    return;
  }
  if (S_ISDIR(status.st_mode)) {
    channel.send(Frame::kFolder, path);
    DIR* folder = opendir(path.c_str());
    while (const dirent* entry = folder != nullptr ? readdir(folder) : nullptr) {
      const std::string name = &entry->d_name[0];
      if (name != "." && name != "..") {
        send_tree(channel, std::string(path).append("/").append(name));
      }
    }
    closedir(folder);
    return;
  }
  std::array<char, 8> mode{};
  std::snprintf(mode.data(), mode.size(), "%04o ", status.st_mode & 0777U);
  channel.send(Frame::kFile, mode.data() + path);
  if (!read_file(path, [&](std::string_view piece) { channel.send(Frame::kContent, piece); })) {
    channel.send(Frame::kMissing, with_error(path));
  }
}

}  // namespace

int main() {
  sigset_t child_signal{};
  sigemptyset(&child_signal);
  sigaddset(&child_signal, SIGCHLD);
  sigprocmask(SIG_BLOCK, &child_signal, nullptr);

  mount_all();
  load_modules();
  const Channel channel = open_channel();
  lift_limits();
  channel.send(Frame::kBegun, "");
  Program program(channel, words_of("/bed/arguments"), words_of("/bed/environment"));
  const int status = program.attend();
  for (const std::string& path : words_of("/bed/results")) {
    send_tree(channel, path);
  }
  channel.finish(Frame::kExitStatus, std::to_string(status));
}
