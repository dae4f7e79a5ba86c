"""What the first process of a virtual machine handed over, read from the machine's memory.

The memory is a file here. Each page that ci/rows/guest/init.c fills begins with the mark of this
one start, the page's number, how many there are, and how many bytes of it count.
"""

import mmap
import struct
from pathlib import Path

PAGE, MARK = 4096, 16
HEAD = struct.Struct("<III")


def handed_over(memory: Path, mark: bytes) -> bytes | None:
    """The file that was handed over; None where a page of it is missing."""
    pages: dict[int, bytes] = {}
    count = 0
    with open(memory, "rb") as file, mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as view:
        at = view.find(mark)
        while at >= 0:
            # The kernel may hold the mark elsewhere too: only our pages begin with it.
            if at % PAGE == 0:
                number, count_here, length = HEAD.unpack_from(view, at + MARK)
                begin = at + MARK + HEAD.size
                if number < count_here and length <= PAGE - MARK - HEAD.size:
                    pages[number], count = view[begin:begin + length], count_here
            at = view.find(mark, at + 1)
    if count == 0 or len(pages) != count:
        return None
    return b"".join(pages[number] for number in range(count))
