"""`baton chat`: be the shopper, in the terminal."""

import asyncio
import contextlib
import sys
import uuid
from typing import Any

from rich.console import Console
from rich.markup import escape

from schemas.chat import HumanReplySent, QuickReply, Reply
from schemas.event import Event
from schemas.topics import CHAT_REPLIES
from services.cli.gateway import Gateway, gateway
from services.lib.kit.settings import KafkaSettings

SILENCE_S = 30.0
"""Seconds without a word after which a gateway shows the shop's own contact route."""

HELP = "Write as a shopper. A number presses a button, /human asks for a person, /quit ends."


async def chat(kafka: KafkaSettings, *, store: str, locale: str, identity_token: str | None) -> None:
    console = Console(highlight=False)
    name = uuid.uuid4().hex[:12]
    whereabouts: dict[str, Any] = {"store": store, "locale": locale, "identity_token": identity_token}
    async with gateway(kafka, "terminal", CHAT_REPLIES) as channel:
        screen = _Screen(console)
        channel.listen(name, screen)
        console.print(f"[dim]{HELP}[/dim]")
        while line := await asyncio.to_thread(sys.stdin.readline):
            said = line.strip()
            if said == "/quit":
                return
            if said:
                await _say(channel, name, said, screen, whereabouts)
        await screen.answered()


async def _say(channel: Gateway, name: str, said: str, screen: "_Screen", whereabouts: dict[str, Any]) -> None:
    button = screen.button(said)
    screen.expect_a_word()
    if said == "/human":
        await channel.send(name, channel.human_button(name, **whereabouts))
    elif button is not None:
        await channel.send(name, channel.quick_reply(name, button.id, button.title, **whereabouts))
    else:
        await channel.send(name, said, **whereabouts)


def plain(text: str) -> str:
    """As it stands: neither markup of ours nor control codes of a terminal."""
    return escape("".join(c for c in text if c == "\n" or c.isprintable()))


class _Screen:
    """Prints replies, remembers the buttons that are shown, and says so when nothing comes."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._buttons: tuple[QuickReply, ...] = ()
        self._silence: asyncio.TimerHandle | None = None
        self._answered = asyncio.Event()
        self._answered.set()

    async def answered(self) -> None:
        """Wait until something came for what was said last, or nothing did for as long as a gateway waits."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(SILENCE_S):
                await self._answered.wait()

    def __call__(self, event: Event[Any]) -> None:
        reply: Reply = event.data
        self._answered.set()
        if self._silence is not None:
            self._silence.cancel()
        who = "[yellow]agent[/yellow]" if isinstance(reply, HumanReplySent) else "[green]baton[/green]"
        self._console.print(f"{who}  {plain(reply.text)}")
        for card in reply.cards:
            price = f"{card.price.amount} {card.price.currency}" if card.price else "price on the page"
            stock = {True: "in stock", False: "out of stock", None: ""}[card.in_stock]
            self._console.print(
                f"       [bold]{plain(card.name)}[/bold]  {price}  {stock}  [dim]{plain(card.url)}[/dim]"
            )
        self._buttons = reply.quick_replies
        for number, button in enumerate(self._buttons, start=1):
            self._console.print(f"       [cyan]{number}[/cyan] {plain(button.title)}")

    def button(self, said: str) -> QuickReply | None:
        if said.isascii() and said.isdigit() and 1 <= int(said) <= len(self._buttons):
            return self._buttons[int(said) - 1]
        return None

    def expect_a_word(self) -> None:
        self._answered.clear()
        if self._silence is not None:
            self._silence.cancel()
        self._silence = asyncio.get_running_loop().call_later(
            SILENCE_S,
            self._console.print,
            "[dim]Nothing came for 30 s. A gateway shows the shop's own contact route now.[/dim]",
        )
