"""A time limit for code that may not return, on every platform and in every thread."""

import ctypes
import threading
from collections.abc import Iterator
from contextlib import contextmanager

AGAIN = 0.5  # seconds until the exception is raised again, if something on the way swallowed it


class TimeIsUp(BaseException):
    """Raised inside the limited block; not an Exception, so that no `except Exception` on the way swallows it."""


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise TimeIsUp in this thread if the block runs longer than `seconds`.

    Signals would do the same, but only in the main thread and not on Windows. The interpreter delivers the exception
    between two Python instructions, which is often enough for SymPy and mpmath, since both are written in Python. Raised
    inside a destructor or a callback from C it is lost; so it is raised until the block has ended.
    """
    me, lock = threading.get_ident(), threading.Lock()
    begun, over, raised = threading.Event(), threading.Event(), threading.Event()  # nothing is raised outside the block

    def watch() -> None:
        wait = seconds
        while not over.wait(wait):
            with lock:
                if begun.is_set() and not over.is_set():
                    raised.set()
                    _raise_in(me, TimeIsUp)
            wait = AGAIN if begun.is_set() else 0.01

    watcher = threading.Thread(target=watch, daemon=True)
    try:
        try:
            watcher.start()
            begun.set()
            yield
        finally:
            over.set()
    finally:
        over.set()
        with lock:
            if raised.is_set():  # take back an exception that has not been delivered; for nothing it would stop a profiler
                _raise_in(me, None)


def _raise_in(thread: int, exception: type[BaseException] | None) -> None:
    target = None if exception is None else ctypes.py_object(exception)
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), target)
