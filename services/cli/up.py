"""`baton up`: the embedded line, with sample conversations if they are asked for, until it is stopped."""

import asyncio
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from schemas.support import DecisionMade
from services.cli import samples
from services.cli.line import Line, embedded_line
from services.cli.running import RunningLine
from services.lib.kit import logs


async def up(*, port: int, play: bool, once: bool, log_file: Path) -> int:
    """The exit status: 1 where a service failed or a sample did not come as expected, 130 where it was stopped."""
    console = Console(highlight=False)
    started = time.monotonic()
    stop = asyncio.Event()
    _on_signal(_cancel_this_task())  # until it is up there is nothing to end in good order
    log_file.parent.mkdir(parents=True, exist_ok=True)
    async with AsyncExitStack() as stack:
        logs.configure(stream=stack.enter_context(log_file.open("w", encoding="utf-8")))
        try:
            line = await stack.enter_async_context(_opened(console, port))
        except asyncio.CancelledError:
            return 130
        _on_signal(stop.set)
        for service in line.services:
            service.end = stop.set
        _greet(console, line, time.monotonic() - started, log_file)
        running = RunningLine(
            kafka=line.kafka,
            url=line.url,
            shop_url=line.shop_url,
            identity_key=line.identity_key,
            transcript_token=line.transcript_token,
            dead_letter_key=line.dead_letter_key,
        )
        running.write()
        stack.callback(running.remove)
        wrong: list[str] = []
        if play:
            playing = asyncio.create_task(samples.play(line, console))
            stopped = asyncio.create_task(stop.wait())
            await asyncio.wait({playing, stopped}, return_when=asyncio.FIRST_COMPLETED)
            if not playing.done():
                playing.cancel()
                return 1 if line.failed else 130
            stopped.cancel()
            made, wrong = playing.result()
            _sum_up(console, made, wrong, time.monotonic() - started)
        if not once:
            console.print("\nThe line stays up. Talk to it with [bold]baton chat[/bold]; stop it with Ctrl-C.")
            await stop.wait()
        return 1 if wrong or line.failed else 0


def _on_signal(do: Callable[[], object]) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, do)


def _cancel_this_task() -> Callable[[], object]:
    task = asyncio.current_task()
    if task is None:
        raise RuntimeError("not in a task")
    return task.cancel


@asynccontextmanager
async def _opened(console: Console, port: int) -> AsyncIterator[Line]:
    """The line, with a progress bar while the shop is indexed."""
    async with AsyncExitStack() as stack:
        with Progress(
            TextColumn("{task.description:<10}"), BarColumn(), MofNCompleteColumn(), console=console, transient=True
        ) as bar:
            tasks = {name: bar.add_task(name, total=None) for name in ("products", "pages", "writing")}

            def progress(stage: str, done: int, of: int) -> None:
                bar.update(tasks[stage], completed=done, total=of)

            line = await stack.enter_async_context(embedded_line(port=port, progress=progress))
        yield line


def _greet(console: Console, line: Line, seconds: float, log_file: Path) -> None:
    indexed = ", ".join(
        f"{store}: {one.products} products, {one.passages} passages" for store, one in line.indexed.items()
    )
    console.print(f"[bold]Baton is up[/bold] after {seconds:.1f} s, on embedded parts.")
    console.print(f"   shop     {line.shop_url}  (sandbox; indexed {indexed})")
    console.print(f"   kafka    {line.kafka.bootstrap}  (librdkafka's mock cluster, in memory)")
    console.print(f"   services {', '.join(service.name for service in line.services)}")
    console.print(f"   metrics  {line.url}/escalation-router/metrics/   log {log_file}")


def _sum_up(console: Console, made: list[DecisionMade], wrong: list[str], seconds: float) -> None:
    decisions = Counter(one.decision.value for one in made)
    reasons = Counter(one.reason.value for one in made if one.reason is not None)
    console.print(f"\n[bold]{len(made)} turns[/bold], {seconds:.0f} s from the start")
    console.print("   decisions  " + ", ".join(f"{name} {n}" for name, n in decisions.most_common()))
    console.print("   reasons    " + ", ".join(f"{name} {n}" for name, n in reasons.most_common()))
    for problem in wrong:
        console.print(f"   [red]not as expected[/red]  {escape(problem)}")
