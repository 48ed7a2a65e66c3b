// Opening what is a file and nothing else, and reading it.
#include "boot/input_file.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <utility>

#include "base/file_descriptor.h"
#include "boot/image_error.h"

namespace nestling {

namespace {

Error no_input(const std::string& path, int error_number) {
  Error error = host_error(path, error_number);
  error.kind = ErrorKind::kNoInput;
  return error;
}

}  // namespace

Result<HostMapping> read_input_file(const std::string& path) {
  // O_NONBLOCK: a FIFO without a writer must be refused below, not waited for.
  const UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd) {
    return failure(no_input(path, errno));
  }
  struct stat status {};
  if (fstat(fd.get(), &status) != 0) {
    return failure(no_input(path, errno));
  }
  if (S_ISDIR(status.st_mode)) {
    return failure(make_error(ErrorKind::kNoInput, "{}: is a directory", path));
  }
  if (!S_ISREG(status.st_mode)) {
    return failure(make_error(ErrorKind::kNoInput, "{}: is not a regular file", path));
  }
  if (status.st_size == 0) {
    return bad_image("{}: the file is empty", path);
  }
  auto mapping = HostMapping::copy_of(fd.get(), static_cast<std::uint64_t>(status.st_size));
  if (!mapping) {
    return failure(Error{ErrorKind::kNoInput, path + ": " + mapping.error().message});
  }
  return mapping;
}

}  // namespace nestling
