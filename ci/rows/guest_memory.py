"""What the first process of a virtual machine handed over, read from the machine's memory.

The memory is a file here. Each page that ci/rows/guest/init.c fills begins with the mark of this
one start, the page's number, how many there are, and how many bytes of it count.
"""

import errno
import os
import struct
from collections.abc import Iterator
from pathlib import Path

PAGE, MARK = 4096, 16
HEAD = struct.Struct("<III")
AT_ONCE = 1024 * PAGE


def _written(descriptor: int) -> Iterator[tuple[int, int]]:
    """Where what was written begins and ends: of a machine's memory that is a small part."""
    end = 0
    while True:
        try:
            begin = os.lseek(descriptor, end, os.SEEK_DATA)
        except OSError as error:
            if error.errno == errno.ENXIO:
                return
            raise
        end = os.lseek(descriptor, begin, os.SEEK_HOLE)
        yield begin // PAGE * PAGE, end


def _pages(descriptor: int, mark: bytes) -> Iterator[bytes]:
    """The pages that begin with the mark. The kernel may hold it elsewhere too."""
    for begin, end in _written(descriptor):
        for at in range(begin, end, AT_ONCE):
            block = os.pread(descriptor, min(AT_ONCE, end - at), at)
            if mark in block:
                yield from (page for page in (block[place:place + PAGE]
                                              for place in range(0, len(block) - PAGE + 1, PAGE))
                            if page.startswith(mark))


def handed_over(memory: Path, mark: bytes) -> bytes | None:
    """The file that was handed over; None where a page of it is missing."""
    pages: dict[int, bytes] = {}
    count = 0
    with open(memory, "rb") as file:
        for page in _pages(file.fileno(), mark):
            number, count_here, length = HEAD.unpack_from(page, MARK)
            content = page[MARK + HEAD.size:]
            if number < count_here and length <= len(content):
                pages[number], count = content[:length], count_here
    if count == 0 or len(pages) != count:
        return None
    return b"".join(pages[number] for number in range(count))
