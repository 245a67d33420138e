"""A limit on the processor's time for code that may not return, on every platform and in every thread."""

import ctypes
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from sympy.core.assumptions import StdFactKB

AGAIN = 0.5      # seconds until the exception is raised again, if something on the way swallowed it
SOONEST = 0.01   # seconds between two looks at the clock


class TimeIsUp(BaseException):
    """Raised inside the limited block; not an Exception, so that no `except Exception` on the way swallows it."""


def _without_a_word(lost, others: Callable = sys.unraisablehook) -> None:
    """Where the exception is raised inside a destructor it is lost, and Python prints it: it will be raised again."""
    if lost.exc_type is not TimeIsUp:
        others(lost)


sys.unraisablehook = _without_a_word


def processor_clock() -> Callable[[], float]:
    """A clock of the seconds that processors have spent on this thread, which any thread may read while this one lives.

    So the limit is the same beside other work. macOS and Windows have no such clock; there it is that of the whole process.
    """
    if hasattr(time, "pthread_getcpuclockid"):
        return partial(time.clock_gettime, time.pthread_getcpuclockid(threading.get_ident()))
    return time.process_time


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise TimeIsUp in this thread if the block computes for longer than `seconds`; waiting does not count.

    Signals would do the same, but only in the main thread and not on Windows. The interpreter delivers the exception
    between two Python instructions, which is often enough for SymPy and mpmath, since both are written in Python. Raised
    inside a destructor or a callback from C it is lost; so it is raised until the block has ended.
    """
    me, lock, clock = threading.get_ident(), threading.Lock(), processor_clock()
    begun, over, raised = threading.Event(), threading.Event(), threading.Event()  # nothing is raised outside the block
    end = clock() + seconds

    def look() -> float:
        """Raise the exception if it is time; returns the seconds until the next look."""
        left = end - clock()
        if left > 0 or not begun.is_set():
            return max(left, SOONEST)
        raised.set()
        raise_in(me, TimeIsUp)
        return AGAIN

    def watch() -> None:
        wait = seconds
        while not over.wait(wait):
            with lock:
                if not over.is_set():
                    wait = look()

    watcher = threading.Thread(target=watch, daemon=True)
    try:
        try:
            try:
                watcher.start()
            except RuntimeError:  # a Python inside a web page has no threads: there nothing is limited
                over.set()
            begun.set()
            with nothing_half_known():
                yield
        finally:
            over.set()
    finally:
        over.set()
        with lock:  # from here on the watcher raises nothing
            late = raised.is_set()
        if late:
            _let_it_arrive(me)


@contextmanager
def nothing_half_known() -> Iterator[None]:
    """If the block is interrupted, take back what SymPy was noting of a symbol or a number at that moment.

    SymPy keeps with each object what it has worked out (is it real? is it even?), and notes "unknown" before it begins.
    What was interrupted would stay unknown, or contradict itself, in every later proof.
    """
    try:
        yield
    except BaseException as stop:
        for frame, _ in traceback.walk_tb(stop.__traceback__):
            if frame.f_code.co_filename == StdFactKB.__init__.__code__.co_filename:
                for owner in map(frame.f_locals.get, ("self", "obj")):
                    known = getattr(owner, "_assumptions", None)
                    if isinstance(known, StdFactKB):
                        owner._assumptions = StdFactKB(known.generator)  # type: ignore[union-attr]
        raise


def _let_it_arrive(thread: int) -> None:
    """Receive an exception that may still be on its way, here, where it is expected.

    Taking it back would be simpler; but CPython 3.11 then looks for it at every instruction for ever, and a debugger hangs.
    """
    try:
        raise_in(thread, TimeIsUp)
        while True:
            time.sleep(0.001)
    except TimeIsUp:
        pass


def raise_in(thread: int, exception: type[BaseException]) -> None:
    """Raise the exception in the thread of that number, between two of its Python instructions."""
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), ctypes.py_object(exception))
