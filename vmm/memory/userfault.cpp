// userfaultfd's ioctls. Pages are copied in, never mapped to the shared page of zeros: a guest that
// writes would fault on that a second time.
#include "vmm/memory/userfault.h"

#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "addrspace/address.h"
#include "addrspace/page_size.h"

namespace nestling {

namespace {

/// Bytes copied by one ioctl at most.
constexpr std::uint64_t kSourceSize = 64 * kPageSize;

std::uint64_t address_of(std::span<std::byte> memory) {
  return reinterpret_cast<std::uintptr_t>(memory.data());
}

uffdio_range range_of(std::span<std::byte> memory) {
  return {.start = address_of(memory), .len = memory.size()};
}

UniqueFd open_descriptor() {
  constexpr int kFlags = O_CLOEXEC | O_NONBLOCK;
  const UniqueFd device(::open("/dev/userfaultfd", O_RDWR | O_CLOEXEC));
  if (device) {
    UniqueFd fd(ioctl(device.get(), USERFAULTFD_IOC_NEW, kFlags));
    if (fd) {
      return fd;
    }
  }
  return UniqueFd(static_cast<int>(syscall(SYS_userfaultfd, kFlags)));
}

}  // namespace

Result<std::unique_ptr<Userfault>> Userfault::open() {
  UniqueFd fd = open_descriptor();
  if (!fd) {
    const int refused = errno;
    Error error = host_error("userfaultfd", refused);
    if (refused == EPERM || refused == EACCES) {
      error.message +=
          "; permit it with \"sysctl vm.unprivileged_userfaultfd=1\", or give this user access to "
          "/dev/userfaultfd";
    } else if (refused == ENOSYS) {
      error.message += "; this kernel has none";
    }
    return failure(std::move(error));
  }
  uffdio_api api{.api = UFFD_API, .features = UFFD_FEATURE_THREAD_ID, .ioctls = 0};
  if (ioctl(fd.get(), UFFDIO_API, &api) != 0) {
    return failure(host_error("UFFDIO_API", errno));
  }
  UniqueFd stop(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!stop) {
    return failure(host_error("eventfd for page faults", errno));
  }
  auto zeros = HostMapping::anonymous(kSourceSize, kPageSize);
  if (!zeros) {
    return failure(zeros.error());
  }
  return std::unique_ptr<Userfault>(
      new Userfault(std::move(fd), std::move(stop), *std::move(zeros)));
}

Result<void> Userfault::watch(std::span<std::byte> memory) {
  uffdio_register request{
      .range = range_of(memory), .mode = UFFDIO_REGISTER_MODE_MISSING, .ioctls = 0};
  if (ioctl(fd_.get(), UFFDIO_REGISTER, &request) != 0) {
    return failure(host_error(fmt::format("UFFDIO_REGISTER of {:#x} bytes", memory.size()), errno));
  }
  return {};
}

Result<void> Userfault::unwatch(std::span<std::byte> memory) {
  uffdio_range range = range_of(memory);
  if (ioctl(fd_.get(), UFFDIO_UNREGISTER, &range) != 0) {
    return failure(
        host_error(fmt::format("UFFDIO_UNREGISTER of {:#x} bytes", memory.size()), errno));
  }
  return {};
}

/// The host gives no huge page to watched memory, and copying into 512 small ones takes several
/// times as long. So an aligned block is given up to the host whole, which pages it in as huge as
/// it likes. Whoever touches it meanwhile does that, too: to the view it is populated.
bool Userfault::install_huge_page(std::span<std::byte> block) {
  if (!unwatch(block)) {
    return false;  // too many mappings
  }
  constexpr int kMadvisePopulateWrite = 23;  // of Linux 5.14, newer than some headers
  int result = 0;
  do {
    result = madvise(block.data(), block.size(), kMadvisePopulateWrite);
  } while (result != 0 && (errno == EINTR || errno == EAGAIN));
  if (result == 0) {
    return true;
  }
  (void)watch(block).has_value();
  return false;
}

// Nobody is woken: each who waits has a fault of its own that wait() tells, and goes on when that
// is answered, and counted.
Result<void> Userfault::install_zeros(std::span<std::byte> memory) {
  constexpr std::uint64_t kHugePage = bytes_of(PageSize::k2MiB);
  for (std::uint64_t done = 0; done < memory.size();) {
    const bool is_block =
        (address_of(memory) + done) % kHugePage == 0 && memory.size() - done >= kHugePage;
    if (is_block && install_huge_page(memory.subspan(done, kHugePage))) {
      done += kHugePage;
      continue;
    }
    uffdio_copy copy{.dst = address_of(memory) + done,
                     .src = address_of(zeros_.bytes()),
                     .len = std::min<std::uint64_t>(kSourceSize, memory.size() - done),
                     .mode = UFFDIO_COPY_MODE_DONTWAKE,
                     .copy = 0};
    if (ioctl(fd_.get(), UFFDIO_COPY, &copy) == 0) {
      done += copy.len;
      continue;
    }
    const int refused = errno;
    if (copy.copy > 0) {
      done += static_cast<std::uint64_t>(copy.copy);
    } else if (refused == EEXIST) {
      done += kPageSize;
    } else if (refused == EAGAIN) {
      sched_yield();  // the address space is being changed
    } else if (refused != EINTR) {
      return failure(host_error(
          fmt::format("UFFDIO_COPY of {:#x} bytes into guest RAM", memory.size()), refused));
    }
  }
  return {};
}

void Userfault::wake(std::span<std::byte> memory) {
  uffdio_range range = range_of(memory);
  // Fails only for memory that is not watched, and there nobody waits.
  (void)ioctl(fd_.get(), UFFDIO_WAKE, &range);
}

void Userfault::release(std::span<std::byte> page) {
  uffdio_zeropage request{.range = range_of(page), .mode = 0, .zeropage = 0};
  while (ioctl(fd_.get(), UFFDIO_ZEROPAGE, &request) != 0 && errno == EAGAIN) {
    sched_yield();
  }
  wake(page);
}

bool Userfault::wait(std::vector<PageFault>& faults) {
  faults.clear();
  while (faults.empty()) {
    std::array<pollfd, 2> polled = {pollfd{.fd = fd_.get(), .events = POLLIN, .revents = 0},
                                    pollfd{.fd = stop_.get(), .events = POLLIN, .revents = 0}};
    poll(polled.data(), polled.size(), -1);
    if (polled[1].revents != 0) {
      return false;
    }
    std::array<uffd_msg, 16> messages{};
    const ssize_t size = read(fd_.get(), messages.data(), sizeof messages);
    const std::size_t count = size > 0 ? static_cast<std::size_t>(size) / sizeof(uffd_msg) : 0;
    for (const uffd_msg& message : std::span(messages).first(count)) {
      if (message.event == UFFD_EVENT_PAGEFAULT) {
        const auto& fault = message.arg.pagefault;
        const bool writes = (fault.flags & UFFD_PAGEFAULT_FLAG_WRITE) != 0;
        // NOLINTNEXTLINE(performance-no-int-to-ptr): the kernel gives the address as a number.
        faults.push_back({.address = reinterpret_cast<std::byte*>(fault.address),
                          .touch = writes ? PageFault::Touch::kWrite : PageFault::Touch::kRead,
                          .thread = static_cast<pid_t>(fault.feat.ptid)});
      }
    }
  }
  return true;
}

void Userfault::stop() {
  const std::uint64_t one = 1;
  // Fails only when the counter is full, and then wait() ends already.
  [[maybe_unused]] const ssize_t written = write(stop_.get(), &one, sizeof one);
}

}  // namespace nestling
