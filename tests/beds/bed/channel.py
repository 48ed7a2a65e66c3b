"""Reads the frames that init.cpp sends, in whatever pieces they arrive."""

import enum
import struct

HEADER = struct.Struct("<cI")


class Frame(enum.Enum):
    """What a frame is about; init.cpp says what each carries."""

    BEGUN = b"B"
    OUTPUT = b"O"
    ERRORS = b"E"
    FOLDER = b"D"
    FILE = b"F"
    CONTENT = b"C"
    MISSING = b"M"
    EXIT_STATUS = b"X"
    FAILURE = b"!"


class FrameReader:
    def __init__(self):
        self.bytes = bytearray()

    def feed(self, piece):
        """The frames that are complete with this piece, each a (Frame, payload)."""
        self.bytes += piece
        frames = []
        while len(self.bytes) >= HEADER.size:
            kind, size = HEADER.unpack_from(self.bytes)
            if len(self.bytes) < HEADER.size + size:
                break
            frames.append((Frame(kind), bytes(self.bytes[HEADER.size:HEADER.size + size])))
            del self.bytes[:HEADER.size + size]
        return frames
