"""What the C library does with freed memory."""

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager

# Of glibc's malloc.h.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_MMAP_MAX = -1, -3, -4


@contextmanager
def keep_memory() -> Iterator[None]:
    """Within it, the C library keeps the memory of freed tensors for the next ones; after it, that goes back.

    Otherwise glibc returns every large tensor to the system, which then gives the next one page by page, each filled
    with zeros: on a CPU up to a third of a training step. Does nothing where the C library is another.
    """
    try:
        libc = ctypes.CDLL(None)
        _ = libc.gnu_get_libc_version
    except (OSError, TypeError, AttributeError):  # Windows; macOS, musl
        libc = None
    if libc is None:
        yield
        return
    libc.mallopt(_M_MMAP_MAX, 0)
    libc.mallopt(_M_TRIM_THRESHOLD, -1)
    try:
        yield
    finally:
        # The default, and the values to which glibc raises its own thresholds as large blocks are freed.
        libc.mallopt(_M_MMAP_MAX, 65536)
        libc.mallopt(_M_MMAP_THRESHOLD, 32 * 2**20)
        libc.mallopt(_M_TRIM_THRESHOLD, 64 * 2**20)
        libc.malloc_trim(0)
