"""A time limit for code that may not return, on every platform and in every thread."""

import ctypes
import threading
import time
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
        with lock:  # from here on the watcher raises nothing
            late = raised.is_set()
        if late:
            _let_it_arrive(me)


def _let_it_arrive(thread: int) -> None:
    """Receive an exception that may still be on its way, here, where it is expected.

    Taking it back would be simpler; but CPython 3.11 then looks for it at every instruction for ever, and a debugger hangs.
    """
    try:
        _raise_in(thread, TimeIsUp)
        while True:
            time.sleep(0.001)
    except TimeIsUp:
        pass


def _raise_in(thread: int, exception: type[BaseException]) -> None:
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), ctypes.py_object(exception))
