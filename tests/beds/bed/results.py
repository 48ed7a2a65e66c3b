"""Writes the files and folders that a bed sends back to where the user wants them."""

import os

from .errors import BedError, Code


class Results:
    """`wanted`: pairs of a path in the bed and where it goes on the host."""

    def __init__(self, wanted):
        self.wanted = wanted
        self.file = None
        self.missing = []

    def _place(self, path):
        """Where `path`, wanted itself or below something wanted, goes."""
        for source, target in self.wanted:
            if path == source:
                return target
            rest = path.removeprefix(source.rstrip("/") + "/")
            if rest != path and ".." not in rest.split("/"):
                return os.path.join(target, rest)
        raise BedError(Code.RESULTS, f"the bed sent {path}, which nobody asked for")

    def folder(self, path):
        os.makedirs(self._place(path), exist_ok=True)

    def begin_file(self, payload):
        mode, _, path = os.fsdecode(payload).partition(" ")
        self.close()
        target = self._place(path)
        os.makedirs(os.path.dirname(os.path.abspath(target)), exist_ok=True)
        self.file = open(target, "wb")
        os.fchmod(self.file.fileno(), int(mode, 8) | 0o600)

    def content(self, payload):
        self.file.write(payload)

    def close(self):
        if self.file:
            self.file.close()
            self.file = None
