"""Work in a thread of its own, which can be asked how far it is, and stopped."""

import threading
from collections.abc import Callable
from typing import Any

from vae_course.derivations.clock import raise_in

PATIENCE = 2.0  # seconds that `stop` waits for the work to end
AGAIN = 0.05    # seconds until it is told again, if something on the way swallowed the exception


class Stopped(SystemExit):
    """Raised inside work that is stopped: no `except Exception` swallows it, and a thread may end with it in silence."""


class Background:
    """Calls act() in a thread; where there are no threads, at once.

    Attributes:
        value: what act returned, once `is_done()`.
        error: what it raised, or None.
    """

    def __init__(self, act: Callable[[], Any]):
        self.value: Any = None
        self.error: BaseException | None = None
        self._act, self._done = act, threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        try:
            self._thread.start()
        except RuntimeError:  # a web page cannot start one
            self._run()

    def _run(self) -> None:
        try:
            self.value = self._act()
        except BaseException as error:
            self.error = error
        finally:
            self._done.set()

    def is_done(self, seconds: float = 0.0) -> bool:
        """Whether it has ended; waits for that up to so many seconds."""
        return self._done.wait(seconds)

    def stop(self) -> bool:
        """End it, between two Python instructions; False if it does not end within PATIENCE, but later."""
        for _ in range(round(PATIENCE / AGAIN)):
            if self._done.is_set() or self._thread.ident is None:
                break
            raise_in(self._thread.ident, Stopped)
            self._done.wait(AGAIN)
        return self._done.is_set()
