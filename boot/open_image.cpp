// Reading the file, and choosing the parser.
#include "boot/open_image.h"

#include <utility>

#include "boot/elf_image.h"
#include "boot/flat_image.h"
#include "boot/input_file.h"

namespace nestling {

Result<Image> open_image(const ImageSource& source) {
  auto mapping = read_input_file(source.path);
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
