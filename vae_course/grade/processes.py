"""Work in a process of its own, with a folder, a time limit and a process group, whose word is plain text only.

Processes are forked from a server that has imported the course once; where there is no fork (Windows) each starts anew.
"""

import json
import multiprocessing
import os
import secrets
import signal
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

FORKS = "forkserver" in multiprocessing.get_all_start_methods()
CONTEXT: Any = multiprocessing.get_context("forkserver" if FORKS else "spawn")
START = 900             # seconds until a process has imported the course: only a machine that stands still takes as long
LARGEST = 256 * 2**20   # bytes of a message
DATA = "VAE_COURSE_DATA"

stopping = threading.Event()    # set: no process is waited for any longer


class Stopped(Exception):
    """The grading was told to stop."""


@dataclass
class Ending:
    """How the work of a process ended.

    Attributes:
        how: "done", "hung" (the time was over), "crashed" (it ended before it was done).
        result: what it gave as its result, if it is done.
        words: why it crashed.
        said: what it told on the way.
    """

    how: str = "crashed"
    result: dict = field(default_factory=dict)
    words: str = ""
    said: list[dict] = field(default_factory=list)


def start_server() -> None:
    """Start the process that the others are forked from, with what holds for all of them."""
    CONTEXT.set_forkserver_preload(["vae_course.grade.work"])
    settings = {"OMP_NUM_THREADS": "1", "MPLBACKEND": "Agg"}    # a fork may not follow work in threads
    folder = Path(os.environ.get(DATA, "build/data")).expanduser()
    if folder.is_dir():
        settings[DATA] = str(folder.absolute())
    before = {name: os.environ.get(name) for name in settings}
    os.environ.update(settings)
    try:
        if FORKS:
            from multiprocessing import forkserver
            forkserver.ensure_running()
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


# ---------------------------------------------------------------- the grader's side

def apart(act: Callable[..., dict], arguments: tuple, seconds: float) -> Ending:
    """Call act(channel, *arguments) in a process of its own, and end the process and its group after so many seconds."""
    with tempfile.TemporaryDirectory(prefix="vae-course-grade-", ignore_cleanup_errors=True) as folder:
        here, there = CONTEXT.Pipe()
        process = CONTEXT.Process(target=_begin, args=(there, act, arguments, folder), daemon=True)
        process.start()
        there.close()
        try:
            return _listen(process, here, seconds)
        finally:
            _end(process)
            here.close()


def _listen(process, connection: Connection, seconds: float) -> Ending:
    """What the process says, until it is done, gone, or out of time."""
    word, ending, until = secrets.token_hex(16), Ending(), time.monotonic() + START
    while (left := until - time.monotonic()) > 0:
        if stopping.is_set():
            raise Stopped
        ready = wait([connection, process.sentinel], min(left, 0.5))
        if connection in ready:
            try:
                message = json.loads(connection.recv_bytes(LARGEST))
            except (EOFError, OSError, ValueError, RecursionError):
                break
            if not isinstance(message, dict):
                break
            if "started" in message:
                until = time.monotonic() + seconds
            elif "ask" in message:
                with suppress(OSError):
                    connection.send_bytes(word.encode())
            elif message.get("word") == word and isinstance(message.get("result"), dict):
                ending.how, ending.result = "done", message["result"]
                return ending
            elif "raised" in message:
                ending.words = str(message["raised"])[:300]
                return ending
            else:
                ending.said.append(message)
        elif ready:
            break
    else:
        ending.how = "hung"
        return ending
    process.join(5)
    ending.words = f"the process ended ({_status(process.exitcode)})"
    return ending


def _status(code: int | None) -> str:
    return f"signal {-code}" if code is not None and code < 0 else f"exit status {code}"


def _end(process) -> None:
    """Kill the process and all of its group."""
    if hasattr(os, "killpg"):
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    process.kill()
    process.join(10)


# ---------------------------------------------------------------- the process's side

class Channel:
    """What a process may say to the grader."""

    def __init__(self, connection: Connection):
        self._connection = connection

    def say(self, **message: Any) -> None:
        """Send a message on the way."""
        self._connection.send_bytes(json.dumps(message).encode())

    def word(self) -> str:
        """The word without which no result is believed: it is sent when it is asked for, after the work."""
        self.say(ask=True)
        return self._connection.recv_bytes(100).decode()


def _begin(connection: Connection, act: Callable[..., dict], arguments: tuple, folder: str) -> None:
    channel = Channel(connection)
    if hasattr(os, "setsid"):
        os.setsid()
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in range(3):
        os.dup2(nothing, stream)
    with suppress(OSError):     # where memory is short, Linux ends this process first
        Path("/proc/self/oom_score_adj").write_text("1000")
    os.chdir(folder)
    channel.say(started=True)
    try:
        result = act(channel, *arguments)
        channel.say(word=channel.word(), result=result)
    except BaseException as error:
        channel.say(raised=f"{type(error).__name__}: {error}"[:300])
