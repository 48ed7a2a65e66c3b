"""One run of a bed: starts QEMU, passes on what the program says, and ends QEMU whatever happens."""

import collections
import ctypes
import dataclasses
import os
import re
import selectors
import signal
import subprocess
import sys
import time

from . import kernels, machines, tools
from .channel import Frame, FrameReader
from .errors import BedError, Code
from .initramfs import Initramfs
from .programs import check_program
from .results import Results

CONSOLE_LINES = 40
PR_SET_PDEATHSIG = 1


@dataclasses.dataclass
class Order:
    """What to run in which bed. Pairs are of a host's path and a path in the bed."""

    architecture: str
    program: str
    arguments: list = dataclasses.field(default_factory=list)
    settings: machines.Settings = dataclasses.field(default_factory=machines.Settings)
    timeout: float = 300  # seconds, of the program
    boot_timeout: float = 300  # from QEMU's start to the program's
    files_in: list = dataclasses.field(default_factory=list)
    results: list = dataclasses.field(default_factory=list)  # (path in the bed, host's path)
    environment: list = dataclasses.field(default_factory=list)
    program_path: str = ""  # in the bed; by default the root folder


def pack(order, kernel, file):
    """Everything the bed starts with, as its initramfs."""
    archive = Initramfs(file)
    archive.device("/dev/console", 0o600, 5, 1)
    archive.content("/init", tools.compiled("init.cpp", order.architecture).read_bytes(), 0o755)
    for module in kernel.modules:
        archive.content(f"/bed/{module.name}", module.read_bytes())
    archive.words("/bed/modules", [f"/bed/{module.name}" for module in kernel.modules])
    path = order.program_path or "/" + os.path.basename(order.program)
    archive.tree(order.program, path)
    for source, target in order.files_in:
        archive.tree(source, target)
    archive.words("/bed/arguments", [path, *order.arguments])
    archive.words("/bed/environment", ["PATH=/bin", "HOME=/", "TMPDIR=/tmp", *order.environment])
    archive.words("/bed/results", [source for source, _ in order.results])
    archive.finish()


class Console:
    """The kernel's console, which QEMU writes to its standard output with its own complaints."""

    def __init__(self, verbose):
        self.verbose = verbose
        self.lines = collections.deque(maxlen=CONSOLE_LINES)
        self.rest = b""
        self.panic = ""

    def feed(self, piece):
        if self.verbose:
            os.write(sys.stderr.fileno(), piece)
        *lines, self.rest = (self.rest + piece).split(b"\n")
        for line in lines:
            text = line.decode(errors="replace").strip("\r")
            self.lines.append(text)
            found = re.search(r"Kernel panic - not syncing: .*|^bed: .*", text)
            if found and not self.panic:
                self.panic = found[0].removeprefix("bed: ")

    def text(self):
        last = self.rest.decode(errors="replace").strip()
        return "".join(f"\n    {line}" for line in [*self.lines, last] if line)


class Session:
    """What has come of an order so far."""

    def __init__(self, order):
        self.order = order
        self.console = Console(order.settings.verbose)
        self.frames = FrameReader()
        self.results = Results(order.results)
        self.has_begun = False
        self.deadline = 0.0
        self.status = None

    def run(self):
        """The program's exit status, 128 + N after signal N."""
        check_program(self.order.program, self.order.architecture)
        machines.check_qemu(self.order.architecture)
        kernel = kernels.kernel_for(self.order.architecture)
        initramfs = os.memfd_create("initramfs")  # in no folder, so it cannot be left behind
        with open(initramfs, "wb") as file:
            pack(self.order, kernel, file)
            reading, writing = os.pipe()
            command = machines.command_line(
                self.order.architecture, self.order.settings, kernel.image,
                f"/proc/self/fd/{initramfs}", f"/proc/self/fd/{writing}")
            with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, pass_fds=(initramfs, writing),
                                  start_new_session=True, preexec_fn=die_with_parent) as qemu:
                os.close(writing)
                try:
                    self.attend(qemu, reading)
                finally:
                    qemu.kill()
                    os.close(reading)
                    self.results.close()
        return self.status

    def attend(self, qemu, channel):
        self.deadline = time.monotonic() + self.order.boot_timeout
        with selectors.DefaultSelector() as selector:
            selector.register(qemu.stdout, selectors.EVENT_READ, self.console.feed)
            selector.register(channel, selectors.EVENT_READ, self.receive)
            while self.status is None and selector.get_map():
                left = self.deadline - time.monotonic()
                if left <= 0:
                    raise self.out_of_time()
                for key, _ in selector.select(left):
                    piece = os.read(key.fd, 1 << 20)
                    if piece:
                        key.data(piece)
                    else:
                        selector.unregister(key.fileobj)
        if self.status is None:
            raise self.ended_early(qemu.wait())
        if self.results.missing:
            raise BedError(Code.RESULTS, f"the program ended with status {self.status}, but cannot "
                           "be brought out: " + "; ".join(self.results.missing))

    def receive(self, piece):
        for frame, payload in self.frames.feed(piece):
            if frame is Frame.OUTPUT:
                write_all(sys.stdout, payload)
            elif frame is Frame.ERRORS:
                write_all(sys.stderr, payload)
            elif frame is Frame.BEGUN:
                self.has_begun = True
                self.deadline = time.monotonic() + self.order.timeout
            elif frame is Frame.EXIT_STATUS:
                self.status = int(payload)
            elif frame is Frame.FAILURE:
                raise BedError(Code.PROGRAM, payload.decode(errors="replace"))
            else:
                self.receive_result(frame, payload)

    def receive_result(self, frame, payload):
        try:
            if frame is Frame.FOLDER:
                self.results.folder(os.fsdecode(payload))
            elif frame is Frame.FILE:
                self.results.begin_file(payload)
            elif frame is Frame.CONTENT:
                self.results.content(payload)
            else:
                self.results.missing.append(payload.decode(errors="replace"))
        except OSError as error:
            raise BedError(Code.RESULTS, f"{error.filename}: {error.strerror}") from None

    def out_of_time(self):
        if self.has_begun:
            return BedError(Code.TIMEOUT, "the program did not end within "
                                          f"{self.order.timeout:g} s")
        return BedError(Code.MACHINE, "the machine did not come up within "
                        f"{self.order.boot_timeout:g} s; its console's last lines:"
                        + (self.console.text() or " none"))

    def ended_early(self, qemu_status):
        why = self.console.panic or f"the machine ended (QEMU's exit code {qemu_status})"
        when = "while the program ran" if self.has_begun else "before the program could run"
        return BedError(Code.MACHINE, f"{why}, {when}; the console's last lines:"
                                      + (self.console.text() or " none"))


def die_with_parent():
    """QEMU must not outlive us, even when we are killed without a chance to say so."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def write_all(stream, payload):
    stream.flush()
    while payload:
        payload = payload[os.write(stream.fileno(), payload):]
