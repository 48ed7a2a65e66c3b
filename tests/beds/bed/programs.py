"""What kind of program a file is: only static programs of the bed's own architecture can run in it."""

import struct

from .errors import BedError, Code

MACHINES = {62: "x86_64", 183: "arm64"}
PT_INTERP = 3


def check_program(path, architecture):
    """Raises BedError unless `path` is a static 64-bit ELF program for `architecture`."""
    try:
        with open(path, "rb") as file:
            header = file.read(64)
            if len(header) < 64 or header[:6] != b"\x7fELF\x02\x01":
                raise BedError(Code.PROGRAM, f"{path} is not a 64-bit ELF program")
            machine = struct.unpack_from("<H", header, 18)[0]
            built_for = MACHINES.get(machine, f"ELF machine {machine}")
            if built_for != architecture:
                raise BedError(Code.PROGRAM, f"{path} is built for {built_for}, "
                                             f"this bed is {architecture}")
            table = struct.unpack_from("<Q", header, 32)[0]
            entry_size, count = struct.unpack_from("<HH", header, 54)
            file.seek(table)
            entries = file.read(entry_size * count)
    except OSError as error:
        raise BedError(Code.PROGRAM, f"{path}: {error.strerror}") from None
    for start in range(0, len(entries), max(entry_size, 1)):
        if struct.unpack_from("<I", entries, start)[0] == PT_INTERP:
            raise BedError(Code.PROGRAM, f"{path} is linked dynamically; a bed has no libraries: "
                                         "link it with -static")
