"""The kernels of the beds: fetched from Debian once, kept outside the source tree, checked each time.

A kernel is a folder of the cache: the kernel itself, the modules a bed loads, and kernel.json, which
says what must be there. It is prepared in a folder of its own and renamed when it is complete, under
a lock, so that two beds that start at once fetch it once and a killed one leaves nothing half-done.
"""

import contextlib
import dataclasses
import fcntl
import json
import lzma
import os
import pathlib
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import zlib

from .errors import BedError, Code

# Raised when what is in a cached folder changes, so that old ones are fetched anew.
RECIPE = 1


@dataclasses.dataclass(frozen=True)
class Package:
    """Debian's kernel for an architecture, and what a bed needs of it."""

    architecture: str  # Debian's name
    package: str       # depends on the one with the newest version in its name
    modules: tuple     # loaded at start, after what they depend on


PACKAGES = {
    "x86_64": Package("amd64", "linux-image-cloud-amd64",
                      ("virtio_mmio", "virtio_console", "kvm-amd")),
    "arm64": Package("arm64", "linux-image-arm64", ("virtio_mmio", "virtio_console")),
}


@dataclasses.dataclass(frozen=True)
class Kernel:
    version: str
    image: pathlib.Path
    modules: tuple  # paths, in the order to load them


def cache_folder():
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    if not os.path.isabs(base):
        raise BedError(Code.NO_KERNEL, "no place to keep kernels: set HOME or XDG_CACHE_HOME")
    return pathlib.Path(base) / "nestling" / "beds"


@contextlib.contextmanager
def locked(path):
    """Holds the lock `path`; the kernel frees it when its holder dies."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = open(path, "w")
    except OSError as error:
        raise BedError(Code.NO_KERNEL, f"{error.filename}: {error.strerror}") from None
    with file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def kernel_for(architecture, refresh=False):
    """The kernel for a bed, fetched when the cache has none that is complete."""
    folder = cache_folder() / f"kernel-{architecture}"
    found = None if refresh else cached(folder)
    if found:
        return found
    with locked(cache_folder() / f"kernel-{architecture}.lock"):
        found = None if refresh else cached(folder)  # another bed may have fetched it meanwhile
        return found or fetch(architecture, folder)


def cached(folder):
    """The kernel in `folder`, None unless every file has its size."""
    try:
        facts = json.loads((folder / "kernel.json").read_text())
        if facts["recipe"] != RECIPE:
            return None
        if any((folder / name).stat().st_size != size for name, size in facts["sizes"].items()):
            return None
        return Kernel(facts["version"], folder / "kernel",
                      tuple(folder / name for name in facts["modules"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def fetch(architecture, folder):
    package = PACKAGES[architecture]
    print(f"bed: fetching Debian's {package.package} (once)", file=sys.stderr, flush=True)
    for leftover in folder.parent.glob(f".{folder.name}.*"):
        shutil.rmtree(leftover, ignore_errors=True)  # of one that was killed: we hold the lock
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}.", dir=folder.parent) as scratch:
        scratch = pathlib.Path(scratch)
        unpacked = unpack(download(package, scratch), scratch / "unpacked")
        images = sorted((unpacked / "boot").glob("vmlinuz-*"))
        if len(images) != 1:
            raise BedError(Code.NO_KERNEL, f"{package.package}: no kernel in it")
        ready = scratch / "ready"
        ready.mkdir()
        prepare_image(images[0], ready / "kernel")
        names = []
        for module in load_order(unpacked, package.modules):
            names.append(module.name.removesuffix(".xz"))
            (ready / names[-1]).write_bytes(module_bytes(module))
        sizes = {file.name: file.stat().st_size for file in ready.iterdir()}
        version = images[0].name.removeprefix("vmlinuz-")
        (ready / "kernel.json").write_text(json.dumps(
            {"recipe": RECIPE, "version": version, "modules": names, "sizes": sizes}))
        if folder.exists():
            folder.rename(scratch / "old")
        ready.rename(folder)
    return cached(folder)


def run(command, purpose):
    """Its output; a missing tool or a failure becomes a BedError that says what it was for."""
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True)
    except FileNotFoundError:
        raise BedError(Code.NO_TOOL, f"{command[0]} is missing, to {purpose}: "
                                     "scripts/install bed") from None
    if done.returncode != 0:
        said = (done.stdout + done.stderr).decode(errors="replace").strip().splitlines()
        raise BedError(Code.NO_KERNEL, f"cannot {purpose}: " + "\n".join(said[-8:]))
    return done.stdout


def download(package, scratch):
    """The .deb with the newest kernel. Its lists are apt's own kind, but kept apart from the
    system's: neither root nor `dpkg --add-architecture` is needed, and nothing else changes."""
    for name in ("state/lists/partial", "cache/archives/partial"):
        (scratch / name).mkdir(parents=True)
    options = [f"Dir::State={scratch}/state", f"Dir::State::Lists={scratch}/state/lists",
               f"Dir::Cache={scratch}/cache", "Dir::State::Status=/dev/null",
               f"APT::Architecture={package.architecture}",
               f"APT::Architectures={package.architecture}", "APT::Sandbox::User=root",
               "Acquire::Languages=none", "Acquire::Retries=3"]
    apt = [word for option in options for word in ("-o", option)]
    run(["apt-get", *apt, "update"], "read Debian's lists of packages")
    listed = run(["apt-cache", *apt, "depends", package.package], f"look up {package.package}")
    newest = re.search(r"^\s*Depends: (linux-image-\S+)$", listed.decode(), re.MULTILINE)
    if not newest:
        raise BedError(Code.NO_KERNEL, f"apt knows no {package.package} for {package.architecture}: "
                                       "its sources must have Debian's main")
    run(["sh", "-c", 'cd "$0" && exec apt-get "$@"', str(scratch), *apt, "download", newest[1]],
        f"download {newest[1]}")
    return next(scratch.glob("*.deb"))


def unpack(archive, folder):
    run(["dpkg", "-x", str(archive), str(folder)], f"unpack {archive.name}")
    return folder


def prepare_image(image, kernel):
    """A PC's kernel is unpacked: that saves each bed more than a second. Others boot as they are."""
    content = image.read_bytes()
    if content[0x202:0x206] == b"HdrS" and content[0x1fe:0x200] == b"\x55\xaa":
        content = linux_payload(content)
    kernel.write_bytes(content)


def linux_payload(image):
    """The ELF kernel inside a bzImage; the offsets are those of Linux's x86 boot protocol."""
    setup_sectors = image[0x1f1] or 4
    offset, length = struct.unpack_from("<II", image, 0x248)
    start = (setup_sectors + 1) * 512 + offset
    packed = image[start:start + length]
    if packed[:4] == b"\x02\x21\x4c\x18":
        return unpack_lz4(packed)
    if packed[:6] == b"\xfd7zXZ\0":
        return lzma.LZMADecompressor().decompress(packed)
    if packed[:2] == b"\x1f\x8b":
        return zlib.decompressobj(31).decompress(packed)
    raise BedError(Code.NO_KERNEL, f"a kernel packed in an unknown way: {packed[:6].hex(' ')}")


def unpack_lz4(packed):
    """By the lz4 tool, less the four bytes of the size that Linux appends."""
    try:
        done = subprocess.run(["lz4", "-d", "-c"], input=packed[:-4], capture_output=True)
    except FileNotFoundError:
        raise BedError(Code.NO_TOOL, "lz4 is missing, to unpack the kernel: "
                                     "scripts/install bed") from None
    if done.returncode != 0 or done.stdout[:4] != b"\x7fELF":
        raise BedError(Code.NO_KERNEL, "lz4 cannot unpack the kernel: "
                                       + done.stderr.decode(errors="replace").strip())
    return done.stdout


def module_bytes(module):
    content = module.read_bytes()
    return lzma.decompress(content) if module.suffix == ".xz" else content


def load_order(unpacked, wanted):
    """The files of the wanted modules and of all they depend on, dependencies first."""
    files = {file.name.split(".")[0].replace("-", "_"): file
             for file in unpacked.glob("**/modules/**/*.ko*")}
    built_in = {pathlib.Path(line).stem.replace("-", "_")
                for listing in unpacked.glob("**/modules.builtin")
                for line in listing.read_text().split()}
    order = []

    def add(name, wanted_by):
        file = files.get(name.replace("-", "_"))
        if file is None and name.replace("-", "_") in built_in:
            return
        if file is None:
            raise BedError(Code.NO_KERNEL, f"the kernel package has no module {name}, "
                                           f"which {wanted_by} needs")
        if file in order:
            return
        depends = re.search(rb"\0depends=([^\0]*)\0", module_bytes(file))
        for each in filter(None, depends[1].decode().split(",") if depends else []):
            add(each, name)
        order.append(file)

    for name in wanted:
        add(name, "a bed")
    return order
