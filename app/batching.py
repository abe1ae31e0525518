"""Read the texts of concurrent requests together: a bounded queue before a model that reads one batch at a time."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

Result = TypeVar("Result")


class OverloadedError(Exception):
    """The queue has no room for these texts."""


class Batcher(Generic[Result]):
    """Reads texts in batches of at most `size`, in the order in which they came; at most `capacity` wait.

    `read` returns a result for each text; it is called on a thread, never twice at once. `observe` is called with each
    batch's number of texts.
    """

    def __init__(
        self,
        read: Callable[[Sequence[str]], Sequence[Result]],
        size: int,
        capacity: int,
        observe: Callable[[int], None],
    ) -> None:
        self._read, self._size, self._capacity, self._observe = read, size, capacity, observe
        self._waiting: deque[tuple[str, asyncio.Future[Result]]] = deque()
        self._filled = asyncio.Event()

    @property
    def waiting(self) -> int:
        """The number of texts that wait."""
        return len(self._waiting)

    async def read(self, texts: Sequence[str]) -> list[Result]:
        """Return the texts' results; raise OverloadedError, at once, if the queue has no room for all of them.

        Texts whose caller was cancelled are not read.
        """
        if len(self._waiting) + len(texts) > self._capacity:
            raise OverloadedError
        loop = asyncio.get_running_loop()
        futures: list[asyncio.Future[Result]] = [loop.create_future() for _ in texts]
        self._waiting.extend(zip(texts, futures, strict=True))
        self._filled.set()
        return list(await asyncio.gather(*futures))

    async def run(self) -> None:
        """Read what waits, until cancelled."""
        while True:
            await self._filled.wait()
            batch = self._next()
            if not batch:
                self._filled.clear()
                continue
            self._observe(len(batch))
            try:
                results = await asyncio.to_thread(self._read, [text for text, _ in batch])
            except Exception as error:  # whatever it is, the callers that wait for these texts must get it
                for _, future in batch:
                    if not future.done():
                        future.set_exception(error)
                continue
            for (_, future), result in zip(batch, results, strict=True):
                if not future.done():
                    future.set_result(result)

    def _next(self) -> list[tuple[str, "asyncio.Future[Result]"]]:
        batch: list[tuple[str, asyncio.Future[Result]]] = []
        while self._waiting and len(batch) < self._size:
            text, future = self._waiting.popleft()
            if not future.done():
                batch.append((text, future))
        return batch
