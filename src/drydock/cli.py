"""The `drydock` command: run a venue, look at one, break one."""

import asyncio
import json
import os
import signal
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter

from drydock.config import Config, ConfigError, RecordedFeed, SyntheticFeed, read_config
from drydock.core.instrument import Instrument
from drydock.feed.contract import Feed
from drydock.feed.recorded import Recorded, RecordingError
from drydock.feed.synthetic import Synthetic
from drydock.host import StartError, VenueHost
from drydock.journal import Journal, JournalError
from drydock.server import Server

EXIT_CONFIG = 2
EXIT_DISK = 70

app = App(name="drydock", help="A simulated exchange in its own process.")

AdminToken = Annotated[str, Parameter(env_var="DRYDOCK_ADMIN_TOKEN")]


@app.command
def serve(config: Path) -> int:
    """Run a venue until SIGTERM or SIGINT.

    Prints one JSON line with its address once it listens.

    Args:
        config: The venue's TOML file.
    """
    try:
        return asyncio.run(_serve(read_config(config)))
    except (ConfigError, JournalError, RecordingError, StartError) as error:
        _say(f"drydock: {error}")
        return EXIT_CONFIG


@app.command
def state(*, url: str, token: AdminToken) -> int:
    """Print everything a venue knows.

    Args:
        url: The venue's address, http://127.0.0.1:7301.
        token: The administrator's token.
    """
    return _ask("GET", f"{url}/state", token, None)


@app.command
def inject(rules: Path, *, url: str, token: AdminToken) -> int:
    """Put fault rules in force in place of those before.

    Args:
        rules: A JSON file with one rule or a list of rules; an empty list ends all faults.
        url: The venue's address, http://127.0.0.1:7301.
        token: The administrator's token.
    """
    return _ask("POST", f"{url}/faults", token, rules.read_bytes())


def main() -> None:
    """Run the command line."""
    sys.exit(app())


async def _serve(config: Config) -> int:
    journal = Journal(Path(config.journal))
    if journal.cut_bytes:
        _say(f"drydock: {config.journal}: cut {journal.cut_bytes} bytes of a torn last entry")
    host = VenueHost(config, journal, _die)
    server = Server(host, _feed(config, host.state.instruments))
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    await server.start()
    line = {
        "event": "listening",
        "venue": config.venue,
        "description": config.description,
        "url": f"http://{config.host}:{server.port}",
        "ws": f"ws://{config.host}:{server.port}/ws",
        "incarnation": host.incarnation,
        "entries": journal.entries,
    }
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()
    feed_end = asyncio.create_task(server.wait())
    stop = asyncio.create_task(stopping.wait())
    try:
        await asyncio.wait({feed_end, stop}, return_when=asyncio.FIRST_COMPLETED)
        if feed_end.done() and not stop.done():
            feed_end.result()  # A feed that broke ends the venue; one that ended does not.
            await stop
    finally:
        feed_end.cancel()
        await server.stop()
        journal.close()
    return 0


def _feed(config: Config, instruments: dict[str, Instrument]) -> Feed | None:
    traded = {spec.symbol: instruments[spec.symbol] for spec in config.instruments}
    match config.feed:
        case RecordedFeed():
            return Recorded(config.feed, traded)
        case SyntheticFeed():
            try:
                return Synthetic(config.feed, traded)
            except ValueError as error:
                raise ConfigError(str(error)) from error
        case _:
            return None


def _die(error: OSError) -> None:
    """End at once: memory is ahead of the journal, so nothing more may be said."""
    _say(f"drydock: the journal cannot be written: {error}")
    os._exit(EXIT_DISK)


def _ask(method: str, url: str, token: str, body: bytes | None) -> int:
    if not url.startswith(("http://", "https://")):
        _say(f"drydock: {url}: must start with http:// or https://")
        return EXIT_CONFIG
    headers = {"X-Admin-Token": token, "Content-Type": "application/json"}
    request = urllib.request.Request(url, body, headers, method=method)  # noqa: S310 - checked above
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - checked above
            shown: Any = json.loads(answer.read())
    except urllib.error.HTTPError as error:
        with error:
            _say(f"drydock: {url}: {error.code} {error.read().decode()}")
        return 1
    except OSError as error:
        _say(f"drydock: {url}: {error}")
        return 1
    sys.stdout.write(json.dumps(shown, indent=2) + "\n")
    return 0


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")
