"""The `baton` command."""

import asyncio
import logging
import os
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, TextIO, TypeVar

import typer
from aiokafka.errors import KafkaError
from pydantic import ValidationError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table

from schemas.topics import TOPICS
from services.cli.deployables import ServiceName
from services.cli.running import NoLine, RunningLine
from services.lib.kit.settings import KafkaSettings

app = typer.Typer(
    name="baton",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
topics_app = typer.Typer(no_args_is_help=True, help="Kafka topics.")
dlq_app = typer.Typer(no_args_is_help=True, help="Dead letters.")
evaluate_app = typer.Typer(no_args_is_help=True, help="Score JSON lines with the shipped models.")
app.add_typer(topics_app, name="topics")
app.add_typer(dlq_app, name="dlq")
app.add_typer(evaluate_app, name="evaluate")

T = TypeVar("T")

Input = Annotated[Path, typer.Option("--input", help="JSON lines; - is standard input.", allow_dash=True)]
Output = Annotated[Path, typer.Option("--output", help="JSON lines; - is standard output.", allow_dash=True)]


def _fail(sentence: object) -> typer.Exit:
    Console(stderr=True, highlight=False).print(f"baton: {sentence}", markup=False, soft_wrap=True)
    return typer.Exit(1)


def _no_kafka(kafka: KafkaSettings, error: KafkaError) -> typer.Exit:
    return _fail(f"Kafka at {kafka.bootstrap} does not answer or refuses ({type(error).__name__})")


def _kafka() -> KafkaSettings:
    """Of the environment, else of the embedded line that runs here."""
    if "BATON_KAFKA__BOOTSTRAP" in os.environ:
        from services.lib.kit.settings import Connection, load

        return load(Connection).kafka
    try:
        return RunningLine.read().kafka
    except NoLine as error:
        raise _fail(error) from None


@app.callback()
def baton() -> None:
    """The support line for Magento shops."""
    # aiokafka logs every try of a broker that is away; a command says it once.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)


@app.command()
def up(
    service: Annotated[
        ServiceName | None, typer.Option(help="Run this one alone, on the Kafka and SQL of the environment.")
    ] = None,
    host: Annotated[str, typer.Option(help="Address to serve a single service on.")] = "127.0.0.1",
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="0 takes a free one. A single service has 8080 by default.")
    ] = None,
    samples: Annotated[bool, typer.Option("--samples", help="Play sample conversations through the line.")] = False,
    once: Annotated[bool, typer.Option("--once", help="End after the samples; status 1 if one went wrong.")] = False,
    log: Annotated[Path, typer.Option(help="Where the services' JSON logs go.")] = Path("var/baton.log"),
) -> None:
    """Start every service in one process on embedded parts, over the sandbox shop; or one service on real parts."""
    if service is not None:
        if samples or once:
            raise _fail("samples are played through the embedded line, not through one service")
        from services.cli.deployables import run

        raise typer.Exit(run(service, host, 8080 if port is None else port))
    from services.cli.up import up as start

    try:
        status = asyncio.run(start(port=port or 0, play=samples or once, once=once, log_file=log))
    except OSError as error:
        raise _fail(error) from None
    raise typer.Exit(status)


@app.command()
def chat(
    store: Annotated[str, typer.Option(help="Magento's store view code.")] = "default",
    locale: Annotated[str, typer.Option(help="The shopper's locale.")] = "en_US",
    customer: Annotated[int | None, typer.Option(help="Log in as this customer of the sandbox shop.")] = None,
) -> None:
    """Talk to the line as a shopper."""
    from services.cli.chat import chat as talk

    kafka = _kafka()
    token = _sandbox_identity(customer) if customer is not None else None
    try:
        asyncio.run(talk(kafka, store=store, locale=locale, identity_token=token))
    except KafkaError as error:
        raise _no_kafka(kafka, error) from None
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


def _sandbox_identity(customer: int) -> str:
    from services.lib.kit.service import utc_now
    from services.lib.shop.sandbox.data import load
    from services.lib.shop.sandbox.identity import sign_identity

    now = utc_now()
    found = load(now).customer(customer)
    if found is None:
        raise _fail(f"the sandbox shop has no customer {customer}")
    try:
        return sign_identity(found, RunningLine.read().identity_key, now)
    except NoLine as error:
        raise _fail(error) from None


@app.command()
def index(
    full: Annotated[bool, typer.Option("--full", help="Encode again what did not change, too.")] = False,
) -> None:
    """Read the shop (BATON_SHOP__BASE_URL, BATON_SHOP__TOKEN) into the search index (BATON_INDEX_PATH)."""
    from services.catalog_indexer.app import index_all
    from services.catalog_indexer.settings import IndexSettings
    from services.lib.index.port import IndexUnavailable
    from services.lib.kit.settings import load
    from services.lib.shop.port import ShopError

    settings = load(IndexSettings)
    console = Console(stderr=True, highlight=False)
    with Progress(TextColumn("{task.description:<10}"), BarColumn(), MofNCompleteColumn(), console=console) as bar:
        tasks = {name: bar.add_task(name, total=None) for name in ("products", "pages", "writing")}
        try:
            done = asyncio.run(
                index_all(settings, lambda stage, n, of: bar.update(tasks[stage], completed=n, total=of), anew=full)
            )
        except (ShopError, IndexUnavailable) as error:
            raise _fail(error) from None
    for store, one in done.items():
        console.print(f"{store}: {one.products} products, {one.passages} passages, {one.changed} changed")


@topics_app.command("list")
def topics_list() -> None:
    """What the registry says of every topic."""
    table = Table("topic", "key", "partitions", "kept", "written by", "read by", box=None)
    for topic in TOPICS:
        kept = "compacted" if topic.retention is None else f"{topic.retention.total_seconds() / 3600:.0f} h"
        table.add_row(
            topic.name, topic.key, str(topic.partitions), kept, ", ".join(topic.producers), ", ".join(topic.consumers)
        )
    console = Console()
    if not console.is_terminal:
        console.width = 200
    console.print(table)


@topics_app.command("apply")
def topics_apply(
    replication: Annotated[int, typer.Option(min=1, max=9, help="Replicas of each partition.")] = 3,
) -> None:
    """Create the topics that are missing; say where one that is there differs. Changes none."""
    from services.lib.kit.provisioning import provision

    kafka = _kafka()
    try:
        done = asyncio.run(provision(kafka, TOPICS, replication))
    except KafkaError as error:
        raise _no_kafka(kafka, error) from None
    for one in done:
        typer.echo(f"{one.name}: {one.state}")
    if any(one.wrong for one in done):
        raise typer.Exit(1)


Short = Annotated[str | None, typer.Option("--topic", help="Short name, e.g. chat.inbound; all where absent.")]


@dlq_app.command("list")
def dlq_list(
    topic: Short = None,
    group: Annotated[str | None, typer.Option(help="Of this service alone; all where absent.")] = None,
    summary: Annotated[bool, typer.Option("--summary", help="How many by group, topic and cause.")] = False,
) -> None:
    """The dead letters that are there: where each came from and what was wrong with it."""
    from services.cli.dead_letters import counted, line_of, listed

    found = _dead_letters(lambda kafka: listed(kafka, topic, group))
    for line in counted(found) if summary else map(line_of, found):
        typer.echo(line)
    Console(stderr=True).print(f"{len(found)} dead letters", highlight=False)


@dlq_app.command("redrive")
def dlq_redrive(
    group: Annotated[str, typer.Option(help="The service whose letters are sent again; others skip them.")],
    topic: Short = None,
    cause: Annotated[list[str] | None, typer.Option(help="Of this cause alone; may be given again.")] = None,
    origin: Annotated[
        list[str] | None, typer.Option(help="topic/partition/offset as `list` says it; may be given again.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Open and check the letters, send nothing.")] = False,
) -> None:
    """Send the originals of dead letters again, for one service. Status 1 where one could not be sent.

    Opens them with BATON_DEAD_LETTER_KEY, or with the key of the embedded line that runs here. To do it twice
    is harmless: receivers recognise ids.
    """
    from services.cli.dead_letters import line_of, redrive
    from services.lib.kit.dead_letters import Place, Vault

    async def run(kafka: KafkaSettings) -> tuple[int, int]:
        sent = stayed = 0
        missing = set(origins)
        async for one in redrive(
            kafka, vault, group, topic=topic, causes=cause or (), origins=origins, dry_run=dry_run
        ):
            if one.listed.letter is not None:
                missing.discard(Place.parse(one.listed.letter.origin))
            if one.trouble is None:
                sent += 1
                typer.echo(f"{'would send' if dry_run else 'sent'}  {line_of(one.listed)}")
            else:
                stayed += 1
                typer.echo(f"NOT SENT: {one.trouble}  {line_of(one.listed)}")
        for place in sorted(missing):
            typer.echo(f"NOT SENT: {group} has no letter of it, or has one with the same bytes  {place}")
        return sent, stayed + len(missing)

    try:
        origins = {Place.parse(text) for text in origin or ()}
    except ValueError as error:
        raise _fail(f"--origin is {error}") from None
    try:
        vault = Vault(_dead_letter_key())
    except ValueError as error:
        raise _fail(f"BATON_DEAD_LETTER_KEY {error}") from None
    sent, stayed = _dead_letters(run)
    said = f"{sent} {'would be sent' if dry_run else 'sent'} to {group}, {stayed} not"
    Console(stderr=True).print(said, highlight=False, markup=False)
    if stayed:
        raise typer.Exit(1)


def _dead_letter_key() -> str:
    """Of the environment, else of the embedded line that runs here."""
    if "BATON_DEAD_LETTER_KEY" in os.environ:
        return os.environ["BATON_DEAD_LETTER_KEY"]
    if "BATON_KAFKA__BOOTSTRAP" in os.environ:
        raise _fail("BATON_DEAD_LETTER_KEY is needed: the key that the services seal dead letters with")
    try:
        return RunningLine.read().dead_letter_key
    except NoLine as error:
        raise _fail(error) from None


def _dead_letters(work: Callable[[KafkaSettings], Coroutine[Any, Any, T]]) -> T:
    """What `work` returns; a topic or a Kafka that is not there ends the command with one sentence."""
    from services.cli.dead_letters import NoTopic

    kafka = _kafka()
    try:
        return asyncio.run(work(kafka))
    except NoTopic as error:
        raise _fail(error) from None
    except KafkaError as error:
        raise _no_kafka(kafka, error) from None


@evaluate_app.command("triggers")
def evaluate_triggers(input: Input = Path("-"), output: Output = Path("-")) -> None:  # noqa: A002  # the option's name
    """What containment, sentiment and the loop detector say of messages, before any answer."""
    from services.lib.language.evaluate_triggers import evaluate_triggers as evaluate
    from services.lib.language.screening import Screen
    from services.lib.language.sentiment import SentimentModel

    with _files(input, output) as (source, target):
        metrics = evaluate(source, target, Screen.load(), SentimentModel.load())
    _print_metrics(metrics)


@evaluate_app.command("sentiment")
def evaluate_sentiment(input: Input = Path("-"), output: Output = Path("-")) -> None:  # noqa: A002  # the option's name
    """How messages feel."""
    from services.lib.language.evaluate import evaluate_sentiment as evaluate
    from services.lib.language.sentiment import SentimentModel

    with _files(input, output) as (source, target):
        metrics = evaluate(source, target, SentimentModel.load())
    _print_metrics(metrics)


@contextmanager
def _files(source: Path, target: Path) -> Iterator[tuple[TextIO, TextIO]]:
    """Both ends, standard streams included; a malformed line or file ends the command with one sentence."""
    if str(source) != "-" and source.exists() and target.exists() and source.samefile(target):
        raise _fail(f"{target} cannot be input and output")
    try:
        with (
            open(0, encoding="utf-8", closefd=False) if str(source) == "-" else source.open(encoding="utf-8") as read,
            open(1, "w", encoding="utf-8", closefd=False)
            if str(target) == "-"
            else target.open("w", encoding="utf-8") as written,
        ):
            yield read, written
    except (OSError, UnicodeDecodeError, ValidationError, ValueError) as error:
        raise _fail(error) from None


def _print_metrics(metrics: object) -> None:
    if metrics is not None:
        typer.echo(metrics, err=True)


if __name__ == "__main__":
    app()
