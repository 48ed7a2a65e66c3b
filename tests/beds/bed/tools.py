"""The beds' own small programs: compiled once for each version of their source, kept in the cache."""

import hashlib
import os
import pathlib
import platform
import subprocess
import sys
import tempfile

from .errors import BedError, Code
from .kernels import cache_folder

SOURCES = pathlib.Path(__file__).resolve().parent.parent
TRIPLETS = {"x86_64": "x86_64-linux-gnu", "arm64": "aarch64-linux-gnu"}
FLAGS = ["-std=c++20", "-O2", "-static", "-s", "-Wall", "-Wextra"]


def host_architecture():
    return {"aarch64": "arm64"}.get(platform.machine(), platform.machine())


def compiled(source, architecture):
    """The path of the program made of `source`, a path below tests/beds, for `architecture`."""
    content = (SOURCES / source).read_bytes()
    command = [f"{TRIPLETS[architecture]}-g++", *FLAGS]
    version = hashlib.sha256(" ".join(command).encode() + b"\0" + content).hexdigest()[:16]
    name = f"{pathlib.Path(source).stem}-{architecture}-{version}"
    program = cache_folder() / "programs" / name
    if not program.exists():
        compile_to(program, command, SOURCES / source)
    return program


def compile_to(program, command, source):
    """Atomically; should two beds compile at once, each gets a whole program."""
    try:
        program.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".", dir=program.parent) as scratch:
            made = os.path.join(scratch, program.name)
            done = subprocess.run([*command, "-o", made, str(source)], stdin=subprocess.DEVNULL,
                                  capture_output=True, text=True)
            if done.returncode != 0:
                raise BedError(Code.NO_TOOL, f"cannot compile {source}:\n{done.stderr.strip()}")
            os.replace(made, program)
    except FileNotFoundError:
        raise BedError(Code.NO_TOOL, f"{command[0]} is missing: scripts/install bed") from None
    except OSError as error:
        raise BedError(Code.NO_TOOL, f"{error.filename}: {error.strerror}") from None


def tick_rate_khz():
    """What the emulated processor's time stamp counter runs at: the host's, else nanoseconds."""
    if host_architecture() != "x86_64":
        return 1_000_000
    program = compiled("x86_64/tick_rate.cpp", "x86_64")
    return int(subprocess.run([str(program)], capture_output=True, check=True).stdout)
