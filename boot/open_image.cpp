// Opening, mapping, and choosing the reader.
#include "boot/open_image.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <utility>

#include "base/file_descriptor.h"
#include "boot/elf_image.h"
#include "boot/flat_image.h"
#include "boot/image_error.h"

namespace nestling {

namespace {

Error no_input(const std::string& path, int error_number) {
  Error error = host_error(path, error_number);
  error.kind = ErrorKind::kNoInput;
  return error;
}

Result<HostMapping> map_file(const std::string& path) {
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
  auto mapping = HostMapping::file(fd.get(), static_cast<std::uint64_t>(status.st_size));
  if (!mapping) {
    return failure(Error{ErrorKind::kNoInput, path + ": " + mapping.error().message});
  }
  return mapping;
}

}  // namespace

Result<Image> open_image(const ImageSource& source) {
  auto mapping = map_file(source.path);
  if (!mapping) {
    return failure(mapping.error());
  }
  auto image = source.flat_address ? make_flat_image(mapping->bytes(), *source.flat_address,
                                                     source.flat_architecture)
                                   : parse_elf_image(mapping->bytes());
  if (!image) {
    Error error = std::move(image).error();
    error.message = source.path + ": " + error.message;
    return failure(std::move(error));
  }
  image->name = source.path;
  image->backing = std::move(*mapping);
  return image;
}

}  // namespace nestling
