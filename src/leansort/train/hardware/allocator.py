"""Memory that a training step frees stays with the process.

A step allocates and frees the same activations as the one before it. glibc gives large pieces, and what is free at the
end of its heap, back to the system at once, and the system clears every page of them anew.
"""

from __future__ import annotations

import ctypes

_TRIM_THRESHOLD, _MMAP_MAX = -1, -4  # of malloc.h


def keep_memory() -> bool:
    """Tell glibc's allocator to keep what is freed, for the life of the process.

    Returns:
        Whether it was told; other systems' allocators are left as they are.
    """
    try:
        mallopt = ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):  # no Linux, or another C library
        return False
    return bool(mallopt(_TRIM_THRESHOLD, -1)) and bool(mallopt(_MMAP_MAX, 0))
