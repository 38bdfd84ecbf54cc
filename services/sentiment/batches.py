"""`Batches`: many callers, one model. Texts that come while the model works are scored together next."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from services.lib.language.sentiment import SentimentScores

Score = Callable[[Sequence[str]], list[SentimentScores]]
_Asked = tuple[str, asyncio.Future[SentimentScores]]


class Batches:
    """Scores texts in a thread of its own, off the event loop: a forward pass there would cost the consumer
    its partitions. Nobody waits for a batch to fill; a batch is what gathered while the last one ran."""

    def __init__(self, score: Score, at_most: int = 32) -> None:
        """`score` gives one result per text, in order; `at_most` texts go into one call of it."""
        self._score, self._at_most = score, at_most
        self._waiting: deque[_Asked] = deque()
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="sentiment")
        self._runner: asyncio.Task[None] | None = None

    async def score(self, text: str) -> SentimentScores:
        """Raises what the model raises for this text."""
        result: asyncio.Future[SentimentScores] = asyncio.get_running_loop().create_future()
        self._waiting.append((text, result))
        if self._runner is None or self._runner.done():
            self._runner = asyncio.create_task(self._run())
        return await result

    async def _run(self) -> None:
        while batch := self._next():
            try:
                await self._run_one(batch)
            except Exception as error:
                if len(batch) == 1:
                    _fail(batch, error)
                    continue
                # One text may have done it: each alone, so that the others do not become its dead letters.
                for one in batch:
                    try:
                        await self._run_one([one])
                    except Exception as its_own:
                        _fail([one], its_own)

    def _next(self) -> list[_Asked]:
        """The oldest that are still wanted: a caller who was cancelled waits for nothing."""
        batch: list[_Asked] = []
        while self._waiting and len(batch) < self._at_most:
            text, result = self._waiting.popleft()
            if not result.done():
                batch.append((text, result))
        return batch

    async def _run_one(self, batch: list[_Asked]) -> None:
        texts = [text for text, _ in batch]
        scores = await asyncio.get_running_loop().run_in_executor(self._thread, self._score, texts)
        if len(scores) != len(batch):
            raise ValueError(f"the model gave {len(scores)} scores for {len(batch)} texts")
        for (_, result), scored in zip(batch, scores, strict=True):
            if not result.done():
                result.set_result(scored)

    def close(self) -> None:
        """Let the thread go. What still waits gets no result."""
        self._thread.shutdown(wait=False, cancel_futures=True)


def _fail(batch: list[_Asked], error: Exception) -> None:
    for _, result in batch:
        if not result.done():
            result.set_exception(error)
