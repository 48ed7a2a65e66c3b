"""The ways a bed itself can fail, each with an exit code that no program of ours ends with."""

import enum


class Code(enum.IntEnum):
    """Exit codes of scripts/bed that are not the program's. Signals end programs with 129 to 192."""

    USAGE = 200
    PROGRAM = 201
    NO_TOOL = 202
    NO_KERNEL = 203
    MACHINE = 204
    TIMEOUT = 205
    RESULTS = 206


MEANINGS = {
    Code.USAGE: "wrong usage",
    Code.PROGRAM: "the program is missing, not static, or for another architecture",
    Code.NO_TOOL: "QEMU, a compiler or another tool is missing",
    Code.NO_KERNEL: "no kernel: the Debian packages cannot be had",
    Code.MACHINE: "the emulated machine failed: kernel panic, restart, or it did not come up",
    Code.TIMEOUT: "the program did not end in time",
    Code.RESULTS: "the program ended, but a file to bring out is missing or cannot be written",
}


class BedError(Exception):
    """The bed failed; the message says what to do where there is something to do."""

    def __init__(self, code, message):
        super().__init__(message)
        self.code = code
