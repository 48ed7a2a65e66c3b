// The yardstick: boots one kernel with the ioctls that no VMM can do without, and nothing else. No
// devices but a UART that is always ready and the exit port, no checks a user would miss, no
// threads. Its guest's memory is what the host makes of it: plain demand paging.
// usage: bare_vm KERNEL [MEBIBYTES small|huge COMMAND-LINE]; the pages are the host's, 128 MiB of
// them and small unless told otherwise.
#include <elf.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

// Guest-physical memory, all below the kernel's load address. The contract that it follows is the
// one of Nestling's boot: 64-bit mode, 4 GiB identity-mapped, RDI = boot-info, a valid stack.
enum {
  kGdt = 0x1000,
  kBootInfo = 0x2000,
  kStackEnd = 0x4000,
  kPml4 = 0x4000,
  kPdpt = 0x5000,
  kPageDirectories = 0x6000,  // four
  kMemoryMap = 0xa000,
  kCommandLine = 0xb000,
  kFreeMemory = 16 << 20,  // from here on the kernel may use all
};

static const uint64_t kBootInfoMagic = 0x474e494c5453454eULL;  // "NESTLING"

enum { kUartData = 0x3f8, kUartLineStatus = 0x3fd, kUartIsIdle = 0x60, kExitPort = 0xf4 };

static char output[1 << 20];
static size_t output_size;

static void require(int fine, const char* what) {
  if (!fine) {
    perror(what);
    exit(71);
  }
}

/// Memory on a boundary of 2 MiB, so that the host can use huge pages.
static uint8_t* map_aligned(uint64_t size) {
  const uint64_t huge_page = 2 << 20;
  uint8_t* memory = mmap(NULL, size + huge_page, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  require(memory != MAP_FAILED, "mmap of guest memory");
  return memory + (-(uintptr_t)memory & (huge_page - 1));
}

/// Copies the segments of the kernel into `memory`; the entry point.
static uint64_t load(const char* path, uint8_t* memory) {
  const int fd = open(path, O_RDONLY | O_CLOEXEC);
  require(fd >= 0, path);
  struct stat status;
  require(fstat(fd, &status) == 0, "fstat");
  const uint8_t* file = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
  require(file != MAP_FAILED, "mmap of the kernel");
  const Elf64_Ehdr* header = (const Elf64_Ehdr*)file;
  const Elf64_Phdr* segments = (const Elf64_Phdr*)(file + header->e_phoff);
  for (unsigned i = 0; i < header->e_phnum; ++i) {
    if (segments[i].p_type == PT_LOAD) {
      memcpy(memory + segments[i].p_paddr, file + segments[i].p_offset, segments[i].p_filesz);
    }
  }
  return header->e_entry;
}

static void write_boot_info(uint8_t* memory, uint64_t memory_size, const char* command_line) {
  // BootInfo and one MemoryMapEntry, as in guest/abi.h.
  const uint64_t usable = 1;
  const size_t length = strnlen(command_line, 4000);
  const uint64_t info[8] = {
      kBootInfoMagic, (uint64_t)sizeof info << 32 | 1, kMemoryMap, 1, kCommandLine, length};
  const uint64_t map[3] = {kFreeMemory, memory_size - kFreeMemory, usable};
  memcpy(memory + kBootInfo, info, sizeof info);
  memcpy(memory + kMemoryMap, map, sizeof map);
  memcpy(memory + kCommandLine, command_line, length);
}

static void write_boot_structures(uint8_t* memory) {
  const uint64_t gdt[3] = {0, 0x00af9b000000ffff, 0x00cf93000000ffff};
  memcpy(memory + kGdt, gdt, sizeof gdt);
  *(uint64_t*)(memory + kPml4) = kPdpt | 3;
  for (uint64_t gigabyte = 0; gigabyte < 4; ++gigabyte) {
    const uint64_t directory = kPageDirectories + gigabyte * 0x1000;
    ((uint64_t*)(memory + kPdpt))[gigabyte] = directory | 3;
    for (uint64_t i = 0; i < 512; ++i) {
      ((uint64_t*)(memory + directory))[i] = (gigabyte << 30) | (i << 21) | 0x83;
    }
  }
}

static void set_cpuid(int kvm, int vcpu) {
  static struct {
    struct kvm_cpuid2 list;
    struct kvm_cpuid_entry2 entries[256];
  } cpuid;
  cpuid.list.nent = 256;
  require(ioctl(kvm, KVM_GET_SUPPORTED_CPUID, &cpuid) == 0, "KVM_GET_SUPPORTED_CPUID");
  require(ioctl(vcpu, KVM_SET_CPUID2, &cpuid) == 0, "KVM_SET_CPUID2");
}

static void set_registers(int vcpu, uint64_t entry) {
  struct kvm_sregs special;
  require(ioctl(vcpu, KVM_GET_SREGS, &special) == 0, "KVM_GET_SREGS");
  const struct kvm_segment code = {
      .limit = ~0U, .selector = 0x08, .type = 11, .present = 1, .s = 1, .l = 1, .g = 1};
  const struct kvm_segment data = {
      .limit = ~0U, .selector = 0x10, .type = 3, .present = 1, .db = 1, .s = 1, .g = 1};
  special.cs = code;
  special.ds = special.es = special.fs = special.gs = special.ss = data;
  special.gdt.base = kGdt;
  special.gdt.limit = 23;
  special.idt.limit = 0;
  special.cr0 = 0x80010033;
  special.cr3 = kPml4;
  special.cr4 = 0x620;
  special.efer = 0x500;
  require(ioctl(vcpu, KVM_SET_SREGS, &special) == 0, "KVM_SET_SREGS");
  const struct kvm_regs general = {
      .rip = entry, .rsp = kStackEnd - 8, .rdi = kBootInfo, .rflags = 2};
  require(ioctl(vcpu, KVM_SET_REGS, &general) == 0, "KVM_SET_REGS");
}

/// Runs the guest until it writes to the exit port; what it wrote.
static int run(int vcpu, struct kvm_run* shared) {
  for (;;) {
    require(ioctl(vcpu, KVM_RUN, 0) == 0, "KVM_RUN");
    if (shared->exit_reason != KVM_EXIT_IO) {
      fprintf(stderr, "bare_vm: exit reason %u\n", shared->exit_reason);
      return 70;
    }
    uint8_t* data = (uint8_t*)shared + shared->io.data_offset;
    const int is_out = shared->io.direction == KVM_EXIT_IO_OUT;
    switch (shared->io.port) {
      case kUartData:
        if (is_out && output_size < sizeof output) {
          output[output_size++] = (char)*data;
        }
        break;
      case kUartLineStatus:
        *data = kUartIsIdle;
        break;
      case kExitPort:
        return *data;
      default:
        if (!is_out) {
          memset(data, 0xff, shared->io.size);
        }
    }
  }
}

int main(int argc, char** argv) {
  if (argc != 2 && argc != 5) {
    fputs("usage: bare_vm KERNEL [MEBIBYTES small|huge COMMAND-LINE]\n", stderr);
    return 64;
  }
  const uint64_t memory_size = (argc == 5 ? strtoull(argv[2], NULL, 10) : 128) << 20;
  const int advice = argc == 5 && strcmp(argv[3], "huge") == 0 ? MADV_HUGEPAGE : MADV_NOHUGEPAGE;
  uint8_t* memory = map_aligned(memory_size);
  require(madvise(memory, memory_size, advice) == 0, "madvise of guest memory");
  const uint64_t entry = load(argv[1], memory);
  write_boot_structures(memory);
  write_boot_info(memory, memory_size, argc == 5 ? argv[4] : "");

  const int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
  require(kvm >= 0, "/dev/kvm");
  const int vm = ioctl(kvm, KVM_CREATE_VM, 0);
  require(vm >= 0, "KVM_CREATE_VM");
  const struct kvm_userspace_memory_region slot = {.memory_size = memory_size,
                                                   .userspace_addr = (uintptr_t)memory};
  require(ioctl(vm, KVM_SET_USER_MEMORY_REGION, &slot) == 0, "KVM_SET_USER_MEMORY_REGION");
  const int vcpu = ioctl(vm, KVM_CREATE_VCPU, 0);
  require(vcpu >= 0, "KVM_CREATE_VCPU");
  const int shared_size = ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
  require(shared_size > 0, "KVM_GET_VCPU_MMAP_SIZE");
  struct kvm_run* shared =
      mmap(NULL, (size_t)shared_size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 0);
  require(shared != MAP_FAILED, "mmap of kvm_run");
  set_cpuid(kvm, vcpu);
  set_registers(vcpu, entry);

  const int status = run(vcpu, shared);
  require(write(STDOUT_FILENO, output, output_size) == (ssize_t)output_size, "write");
  return status;
}
