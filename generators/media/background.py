"""One thread that does things in the order in which they were asked for, while the caller goes on."""

import queue
import threading
from collections.abc import Callable
from typing import Any, Self

_DEPTH = 4  # things that may wait: bounds memory


class Background:
    """Runs calls one after the other in a thread of its own; a context manager.

    After the first call that raises, the others are not run, and the next `put` or the end of the block raises it.
    """

    def __init__(self) -> None:
        self._calls: queue.Queue[Callable[[], None] | None] = queue.Queue(_DEPTH)
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="genba writer", daemon=True)
        self._thread.start()

    def put(self, call: Callable[[], None]) -> None:
        """Have something done; waits where too much is waiting.

        Raises:
            BaseException: what an earlier call raised.
        """
        if self._error is not None:
            raise self._error
        self._calls.put(call)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *exc: Any) -> None:  # noqa: ANN401
        if kind is not None:
            self._error = self._error or RuntimeError("given up")
        self._calls.put(None)
        self._thread.join()
        if kind is None and self._error is not None:
            raise self._error

    def _run(self) -> None:
        while (call := self._calls.get()) is not None:
            if self._error is None:
                try:
                    call()
                except BaseException as error:
                    self._error = error
