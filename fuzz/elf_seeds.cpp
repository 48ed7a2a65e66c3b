// Writes the ELF files that elf_fuzzer starts from into the folder it is given.
#include <cstdio>
#include <fstream>
#include <string>

#include "tests/support/elf_builder.h"

namespace nestling {
namespace {

bool write(const std::string& folder, const char* name, const ElfBytes& file) {
  std::ofstream out(folder + "/" + name, std::ios::binary);
  for (const std::byte byte : file.bytes()) {
    out.put(static_cast<char>(byte));
  }
  return out.flush().good();
}

ElfBytes with_notes() {
  ElfBuilder builder = small_kernel();
  builder.add_note("GNU", 3, counting_bytes(20));
  builder.add_note("Nestling", 1, {std::byte{1}, std::byte{0}, std::byte{0}, std::byte{0}});
  return builder.build();
}

ElfBytes linked_high() {
  ElfBytes file = small_kernel().build();
  file.program_header(0).p_vaddr = 0xffff'ffff'8010'0000;
  file.header().e_entry = 0xffff'ffff'8010'0010;
  return file;
}

ElfBytes for_aarch64() {
  ElfBytes file = small_kernel().build();
  file.header().e_machine = EM_AARCH64;
  return file;
}

}  // namespace
}  // namespace nestling

int main(int argc, char** argv) {
  using nestling::write;
  const std::string folder = argc == 2 ? argv[1] : "";
  const bool done = !folder.empty() && write(folder, "small", nestling::small_kernel().build()) &&
                    write(folder, "notes", nestling::with_notes()) &&
                    write(folder, "high", nestling::linked_high()) &&
                    write(folder, "aarch64", nestling::for_aarch64());
  if (!done) {
    std::fputs("usage: elf_seeds FOLDER, which exists and is writable\n", stderr);
    return 1;
  }
  return 0;
}
