// Image: a bootable file as every format's reader describes it and every boot protocol takes it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "addrspace/access.h"
#include "addrspace/host_mapping.h"
#include "addrspace/range.h"

namespace nestling {

enum class ImageFormat : std::uint8_t {
  kElf64,
  kFlat,  ///< raw bytes, placed where the user says
};

/// The instruction set an image is made for.
enum class Architecture : std::uint8_t {
  kX86_64,  // NOLINT(readability-identifier-naming): the underscore is part of the name
  kAarch64,
};

/// "ELF64", "flat".
[[nodiscard]] std::string_view name_of(ImageFormat format);
/// "x86_64", "aarch64".
[[nodiscard]] std::string_view name_of(Architecture architecture);
/// "rwx" with '-' for each right that is missing.
[[nodiscard]] std::string name_of(Access access);
/// "0x1000-0x1fff", both ends inclusive; "empty at 0x1000".
[[nodiscard]] std::string name_of(GuestPhysRange range);

/// One piece of an image: `file` stands at the start of `memory`, zeros fill the rest.
///
///      memory.start()                     memory.last()
///        |------- file -------|---- zeros ----|
struct ImageSegment {
  /// Where it is loaded. Never empty.
  GuestPhysRange memory;
  /// Where the kernel believes that `memory` starts: differs for a kernel linked high.
  GuestVirtAddr virtual_start;
  /// No longer than `memory`. Lives as long as the image's backing.
  std::span<const std::byte> file;
  Access access;
  /// Its number in the file: the index of the ELF program header.
  std::size_t number = 0;
};

/// "program header 2" or "the image", for messages.
[[nodiscard]] std::string name_of(const ImageSegment& segment, ImageFormat format);

/// What the kernel cannot do without, as its file states.
struct ImageNeeds {
  /// Interrupt controllers and a timer inside KVM.
  bool irqchip = false;
};

/// What was read from an image file. Its fields agree with each other and with the file, but
/// nothing here says yet that it fits a given machine: that is for a boot protocol to check
/// (boot/load.h, boot/x86_64/prepare_boot.h). Move-only.
struct Image {
  /// What messages call it: the path it came from.
  std::string name;
  ImageFormat format = ImageFormat::kElf64;
  Architecture architecture = Architecture::kX86_64;
  /// Physical, whatever the file says: paging is not up to the kernel yet when it is entered.
  /// Inside the file bytes of an executable segment.
  GuestPhysAddr entry;
  /// The same address as the file gives it.
  GuestVirtAddr virtual_entry;
  /// In the order of the file.
  std::vector<ImageSegment> segments;
  ImageNeeds needs;
  /// Why it is probably no kernel, each as a sentence's rest: "a note says it is a program …".
  std::vector<std::string> doubts;
  /// The whole file, for what is read only when a message needs it (boot/elf_symbols.h).
  std::span<const std::byte> file;
  /// Owns `file` where the image was opened by path; empty where the caller lent the bytes.
  HostMapping backing;
};

}  // namespace nestling
