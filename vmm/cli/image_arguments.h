// What commands that open an image take: the kernel, how to read it, and the guest's RAM.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include <CLI/CLI.hpp>

#include "boot/open_image.h"
#include "vmm/cli/option_checks.h"
#include "vmm/native.h"

namespace nestling {

/// What every command that opens an image takes.
struct ImageArguments {
  std::string path;
  std::uint64_t flat_address = 0;
  CLI::Option* flat = nullptr;

  void add_to(CLI::App& command) {
    command.add_option("KERNEL", path, "the kernel: an ELF64 file, or raw bytes with --flat")
        ->required()
        ->type_name("");
    flat = command
               .add_option("--flat", flat_address,
                           "take KERNEL as raw bytes, loaded and entered at this address")
               ->type_name("ADDRESS");
  }

  [[nodiscard]] ImageSource source() const {
    ImageSource source{
        .path = path, .flat_address = std::nullopt, .flat_architecture = native_architecture()};
    if (flat->count() > 0) {
      source.flat_address = GuestPhysAddr(flat_address);
    }
    return source;
  }
};

inline void add_memory_option(CLI::App& command, std::uint64_t& bytes) {
  command.add_option("--memory,-m", bytes, "RAM of the guest, such as 64M or 2G")
      ->transform(saying(CLI::AsSizeValue(false), "give a size such as 64M or 2G"))
      ->type_name("SIZE")
      ->default_str("128M");
}

}  // namespace nestling
