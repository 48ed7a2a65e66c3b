// Atomic replacement by a temporary file and rename.
#include "vmm/output_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstdlib>
#include <optional>
#include <span>

#include <fmt/core.h>

#include "base/file_descriptor.h"

namespace nestling {

namespace {

Error cannot_write(const std::string& path, int error_number) {
  return host_error(fmt::format("cannot write {}", path), error_number);
}

Result<void> write_text(int fd, const std::string& path, std::string_view text) {
  const Result<void> written = write_all(fd, std::as_bytes(std::span(text)));
  if (!written) {
    return failure(
        make_error(written.error().kind, "cannot write {}: {}", path, written.error().message));
  }
  return {};
}

/// Opens what is there already and writes into it.
Result<void> write_in_place(const std::string& path, std::string_view text) {
  const UniqueFd fd(open(path.c_str(), O_WRONLY | O_TRUNC | O_CLOEXEC));
  if (!fd) {
    return failure(cannot_write(path, errno));
  }
  return write_text(fd.get(), path, text);
}

/// Where `path` leads to through symbolic links that exist; `path` itself where it leads nowhere.
std::string resolved(const std::string& path) {
  std::string result(PATH_MAX, '\0');
  if (realpath(path.c_str(), result.data()) == nullptr) {
    return path;
  }
  result.resize(result.find('\0'));
  return result;
}

/// `mode`: the permissions of the file that is replaced, if there is one.
Result<void> replace_file(const std::string& path, std::optional<mode_t> mode,
                          std::string_view text) {
  const std::string temporary = fmt::format("{}.{}.tmp", path, getpid());
  UniqueFd fd(open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
  if (!fd) {
    // A folder we may not change can still hold a file we may write.
    return mode && errno == EACCES ? write_in_place(path, text)
                                   : Result<void>(failure(cannot_write(path, errno)));
  }
  Result<void> done = write_text(fd.get(), path, text);
  if (done && mode && fchmod(fd.get(), *mode & 07777) != 0) {
    done = failure(cannot_write(path, errno));
  }
  fd = UniqueFd();
  if (done && rename(temporary.c_str(), path.c_str()) != 0) {
    done = failure(cannot_write(path, errno));
  }
  if (!done) {
    unlink(temporary.c_str());
  }
  return done;
}

}  // namespace

Result<void> write_output_file(const std::string& path, std::string_view text) {
  if (path == "-") {
    return write_text(STDOUT_FILENO, "standard output", text);
  }
  struct stat status {};
  if (stat(path.c_str(), &status) != 0) {
    return replace_file(path, std::nullopt, text);
  }
  if (S_ISREG(status.st_mode)) {
    return replace_file(resolved(path), status.st_mode, text);
  }
  return write_in_place(path, text);
}

}  // namespace nestling
