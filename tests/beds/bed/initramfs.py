"""Writes the archive a bed's kernel unpacks as its root: cpio, the kernel's "newc" form."""

import os
import stat

from .errors import BedError, Code


class Initramfs:
    """Entries in the order they are added; folders above an entry come by themselves."""

    def __init__(self, file):
        self.file = file
        self.known = set()
        self.inode = 0

    def _entry(self, path, mode, size=0, device=(0, 0)):
        self.known.add(path)
        self.inode += 1
        name = path.lstrip("/").encode() + b"\0"
        fields = (self.inode, mode, 0, 0, 1, 0, size, 0, 0, *device, len(name), 0)
        header = b"070701" + b"".join(b"%08x" % field for field in fields) + name
        self.file.write(header + bytes(-len(header) % 4))

    def folder(self, path):
        if path not in ("", "/") and path not in self.known:
            self.folder(os.path.dirname(path))
            self._entry(path, stat.S_IFDIR | 0o755)

    def content(self, path, content, mode=0o644):
        if path in self.known:
            raise BedError(Code.USAGE, f"two files want to be {path} in the bed")
        self.folder(os.path.dirname(path))
        self._entry(path, stat.S_IFREG | mode, len(content))
        self.file.write(content)
        self.file.write(bytes(-len(content) % 4))

    def device(self, path, mode, major, minor):
        self.folder(os.path.dirname(path))
        self._entry(path, stat.S_IFCHR | mode, device=(major, minor))

    def words(self, path, words):
        """A list that init reads: each word ends in NUL."""
        self.content(path, b"".join(os.fsencode(word) + b"\0" for word in words))

    def tree(self, source, path):
        """The file or folder `source` of the host, links followed, as `path`."""
        try:
            if os.path.isdir(source):
                self.folder(path)
                for name in sorted(os.listdir(source)):
                    self.tree(os.path.join(source, name), os.path.join(path, name))
            else:
                with open(source, "rb") as file:
                    mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
                    self.content(path, file.read(), mode | 0o400)
        except OSError as error:
            raise BedError(Code.USAGE, f"{error.filename}: {error.strerror}") from None

    def finish(self):
        self._entry("TRAILER!!!", 0)
        self.file.write(bytes(-self.file.tell() % 512))
        self.file.flush()
