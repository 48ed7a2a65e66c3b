// What the tests of the beds run in them: does what its arguments say, one after another.
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

namespace {

/// Writes `text` to the file `path`, which need not exist; false when it cannot.
bool write_file(const char* path, std::string_view text) {
  const int file = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0640);
  return file >= 0 && write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size());
}

bool show_file(const char* path) {
  FILE* file = std::fopen(path, "re");
  for (int byte = 0; file != nullptr && (byte = std::fgetc(file)) != EOF;) {
    std::putchar(byte);
  }
  return file != nullptr && std::fclose(file) == 0;
}

void fill(int fd, std::size_t size) {
  const std::string line = "the quick brown fox jumps over the lazy dog, sixty-three times..\n";
  for (std::size_t written = 0; written < size; written += line.size()) {
    [[maybe_unused]] const ssize_t count = write(fd, line.data(), line.size());
  }
}

/// One of the things this program can do; false when it did not work out.
bool perform(const std::string& name, const char* value) {
  if (name == "say") {
    return std::puts(value) >= 0 && std::fflush(stdout) == 0;
  }
  if (name == "complain") {
    return std::fprintf(stderr, "%s\n", value) > 0;
  }
  if (name == "exit") {
    std::exit(std::atoi(value));
  }
  if (name == "signal") {
    return raise(std::atoi(value)) == 0;
  }
  if (name == "sleep") {
    return sleep(static_cast<unsigned>(std::atoi(value))) == 0;
  }
  if (name == "fill") {
    fill(STDOUT_FILENO, static_cast<std::size_t>(std::atol(value)));
    return true;
  }
  if (name == "variable") {
    const char* found = std::getenv(value);
    return found != nullptr && std::puts(found) >= 0;
  }
  if (name == "show") {
    return show_file(value);
  }
  if (name == "write") {
    return write_file(value, "written in the bed\n");
  }
  if (name == "open") {
    return open(value, O_RDWR | O_CLOEXEC) >= 0;
  }
  if (name == "sysrq") {
    return write_file("/proc/sysrq-trigger", value) && pause() == 0;
  }
  if (name == "leave-running") {
    return fork() != 0 || sleep(static_cast<unsigned>(std::atoi(value))) == 0;
  }
  return false;
}

}  // namespace

int main(int argc, char** argv) {
  for (int index = 1; index + 1 < argc; index += 2) {
    if (!perform(argv[index], argv[index + 1])) {
      std::perror(argv[index]);
      return 99;
    }
  }
  return 0;
}
