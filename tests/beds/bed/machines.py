"""The QEMU command line of each bed: the emulated machine, and what its kernel is told."""

import dataclasses
import shutil

from .errors import BedError, Code
from .tools import tick_rate_khz

EMULATORS = {"x86_64": "qemu-system-x86_64", "arm64": "qemu-system-aarch64"}
PACKAGES = {"x86_64": "qemu-system-x86", "arm64": "qemu-system-arm"}

# The kernel's timers tick this often a second in all of Debian's kernels; lpj counts by it.
HZ = 250
# One instruction a 4 ns: what -icount's shift says, and the clock the kernel is told then.
ICOUNT_SHIFT = 2
ICOUNT_TICK_KHZ = 1_000_000

# Starts sooner without them, and nothing in a bed needs them: self-tests, certificates, IPv6.
NOT_CALLED = ["init_kprobe_trace", "load_system_certificate_list", "crypto_kdf108_init",
              "inet6_init", "init_encrypted", "machine_keyring_init"]
KERNEL_ARGUMENTS = [
    "panic=-1", "oops=panic", "mitigations=off", "cryptomgr.notests=1", "init_on_alloc=0", "audit=0",
    "apparmor=0", "rcupdate.rcu_expedited=1", "nowatchdog", "random.trust_cpu=on"]

# An EPYC with SVM, nested paging and five-level tables, less what QEMU's emulation lacks and would
# warn about. The model "max" has more features and is slower for it.
X86_CPU = ("EPYC,+svm,+npt,+la57,-rdseed,-sha-ni,-fxsr-opt,-misalignsse,-3dnowprefetch,-osvw,"
           "-topoext,-perfctr-core,-clzero,-xsaveerptr,-ibpb,-nrip-save,-xsavec,-xsaves")
# 16K and 64K granules, and EL2 with nested paging by virtualization=on.
ARM64_CPU = "neoverse-n1"


@dataclasses.dataclass
class Settings:
    """What the user may choose of a machine."""

    memory_mib: int = 1024
    cpus: int = 1
    cpu_model: str = ""
    gic: int = 0  # arm64's interrupt controller, 0 for the usual
    hugepages: int = 0
    deterministic: bool = False
    verbose: bool = False
    kernel_arguments: list = dataclasses.field(default_factory=list)


def check_qemu(architecture):
    """Raises BedError when the emulator is missing."""
    if not shutil.which(EMULATORS[architecture]):
        raise BedError(Code.NO_TOOL, f"{EMULATORS[architecture]} is missing: install "
                                     f"{PACKAGES[architecture]} (scripts/install bed)")


def x86_64(settings):
    # The kernel cannot measure its clock reliably under emulation, and then hangs: it is told.
    khz = ICOUNT_TICK_KHZ if settings.deterministic else tick_rate_khz()
    arguments = ["console=ttyS0", "reboot=t", f"tsc_early_khz={khz}", f"lpj={khz * 1000 // HZ}",
                 "no_timer_check", "tsc=reliable",
                 "initcall_blacklist=" + ",".join([*NOT_CALLED, "vga_arb_device_init"])]
    return ["-machine", "microvm", "-cpu", settings.cpu_model or X86_CPU], arguments


def arm64(settings):
    machine = f"virt,virtualization=on,gic-version={settings.gic or 3}"
    if settings.deterministic:
        machine += ",dtb-randomness=off"
    arguments = ["console=ttyAMA0", f"lpj={62_500_000 // HZ}",
                 "initcall_blacklist=" + ",".join(NOT_CALLED)]
    return ["-machine", machine, "-cpu", settings.cpu_model or ARM64_CPU], arguments


MACHINES = {"x86_64": x86_64, "arm64": arm64}


def command_line(architecture, settings, kernel, initramfs, channel):
    """QEMU's, for a kernel image, and paths that lead to the initramfs and to the host's end of the
    channel. The kernel's console is QEMU's standard output."""
    machine, arguments = MACHINES[architecture](settings)
    arguments += KERNEL_ARGUMENTS
    arguments += ["loglevel=7"] if settings.verbose else ["quiet", "loglevel=1"]
    accelerator = ["-accel", "tcg"]
    if settings.deterministic:
        arguments += ["nokaslr", "norandmaps"]
        accelerator = ["-accel", "tcg,thread=single", "-icount", f"shift={ICOUNT_SHIFT},sleep=off",
                       "-seed", "1", "-rtc", "base=2026-01-01T00:00:00,clock=vm"]
    if settings.hugepages:
        arguments.append(f"hugepages={settings.hugepages}")
    arguments += settings.kernel_arguments
    return [EMULATORS[architecture], *machine, *accelerator, "-m", f"{settings.memory_mib}M",
            "-smp", str(settings.cpus), "-nodefaults", "-no-user-config", "-no-reboot",
            "-display", "none", "-serial", "stdio",
            "-device", "virtio-serial-device,max_ports=2",
            "-chardev", f"file,id=channel,path={channel}",
            "-device", "virtserialport,chardev=channel,name=nestling.bed,nr=1",
            "-kernel", str(kernel), "-initrd", initramfs, "-append", " ".join(arguments)]
