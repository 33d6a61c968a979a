"""`quarterdeck backtest`: run studies on recorded data, look at them, compare them, serve them."""

import sys
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter

from quarterdeck.app.cli.options import Output
from quarterdeck.app.command_error import EXIT_REFUSED, EXIT_USAGE, CommandError
from quarterdeck.app.printing import print_fields, print_json, print_line, print_rows
from quarterdeck.backtest.comparison import Comparison, compare_runs
from quarterdeck.backtest.config import Mode
from quarterdeck.backtest.fault import FaultsError
from quarterdeck.backtest.run_folder import RunStatus, runs_in
from quarterdeck.backtest.stored_run import NoSuchRunError, StoredRun, status_of, summary_of
from quarterdeck.backtest.summary import Summary

app = App(name="backtest", help="Studies on recorded data, each in a process of its own.")

OUTPUT = Output()
RESULTS = Path("results")
LATEST = "latest"
INTERRUPTED = 130

Results = Annotated[Path, Parameter(env_var="QUARTERDECK_BACKTEST_RESULTS")]

LISTED = ("run_id", "state", "mode", "config_hash", "created_ns", "finished_ns", "error")
ORDERS = (
    "operation_id",
    "state",
    "reason",
    "instrument",
    "side",
    "quantity",
    "filled",
    "avg_px",
    "arrival_px",
    "slippage_bps",
    "shortfall_bps",
    "fees",
    "children",
)
FIGURES = ("slippage_bps", "fees_bps", "shortfall_bps")
REFUSED = ("line", "operation_id", "code", "field", "text")
DIFFERING = (
    "operation_id",
    "fields",
    "a_state",
    "b_state",
    "a_filled",
    "b_filled",
    "a_avg_px",
    "b_avg_px",
    "shortfall_bps_change",
)
TOTALS = ("name", "a", "b", "change")


@app.command
def run(config: Path, *, mode: Mode | None = None, output: Output = OUTPUT) -> int:
    """Run a backtest and keep its results; Ctrl-C ends it.

    Args:
        config: What to run, a JSON file.
        mode: How much is kept, in place of what the file says.
        output: How to print.
    """
    from quarterdeck.app.backtest_run import run_here

    try:
        ended = run_here(config, mode, quiet=output.json)
    except FaultsError as error:
        raise CommandError(str(error), EXIT_USAGE) from error
    except OSError as error:
        raise CommandError(str(error)) from error
    if ended.status.error is not None:
        raise CommandError(f"run {ended.status.run_id} failed: {ended.status.error}")
    if ended.path is None:
        return INTERRUPTED
    summary = summary_of(ended.path.parent, ended.path.name)
    if output.json:
        print_json(_document(summary))
    else:
        _show(summary)
        print_line(f"results: {ended.path}")
    return 0


@app.command(name="list")
def list_(*, results: Results = RESULTS, output: Output = OUTPUT) -> None:
    """List the runs of a results folder, the newest first.

    Args:
        results: The folder.
        output: How to print.
    """
    from quarterdeck.backtest.queue import close_left_behind

    close_left_behind(results)
    runs = [_status(status) for status in runs_in(results)]
    if output.json:
        print_json({"runs": runs})
    else:
        print_rows("runs", LISTED, runs)


@app.command
def show(run: str = LATEST, *, results: Results = RESULTS, output: Output = OUTPUT) -> int:
    """Show what a run came to.

    Args:
        run: Its id, its folder, or `latest`.
        results: The folder that ids are looked up in.
        output: How to print.
    """
    try:
        stored = _stored(run, results)
        status = status_of(*stored)
        summary = summary_of(*stored) if status.error is None else None
    except NoSuchRunError as error:
        raise CommandError(str(error), EXIT_USAGE) from error
    document = _status(status) | ({} if summary is None else _document(summary))
    if output.json:
        print_json(document)
    elif summary is not None:
        _show(summary)
    else:
        print_fields("run", _status(status))
    return 0 if summary is not None else EXIT_REFUSED


@app.command
def compare(a: str, b: str, *, results: Results = RESULTS, output: Output = OUTPUT) -> int:
    """Compare two runs: where their decisions part, and what that came to; exit code 1 if they do.

    Args:
        a: A run's id or folder.
        b: Another's.
        results: The folder that ids are looked up in.
        output: How to print.
    """
    from quarterdeck.desk.replay.journal_file import JournalFileError

    try:
        found = compare_runs(_stored(a, results), _stored(b, results))
    except NoSuchRunError as error:
        raise CommandError(str(error), EXIT_USAGE) from error
    except (JournalFileError, OSError) as error:
        raise CommandError(str(error)) from error
    if output.json:
        print_json(_document(found))
    else:
        _show_comparison(found)
    return 0 if found.same_journal else EXIT_REFUSED


@app.command
def serve(
    *,
    data: Path,
    catalog: Path,
    results: Path,
    inputs: Path | None = None,
    host: str = "127.0.0.1",
    port: int = 8000,
    tls_cert: Path | None = None,
    tls_key: Path | None = None,
    trusted_proxies: tuple[str, ...] = (),
    at_once: int = 1,
    waiting_max: int = 32,
    data_dir: Annotated[Path | None, Parameter(env_var="QUARTERDECK_DATA_DIR")] = None,
) -> int:
    """Serve backtests over HTTP until stopped.

    Args:
        data: Recorded data that runs may use.
        catalog: Where converted data is kept.
        results: Where runs leave their results.
        inputs: Where order files lie; left out: the data folder.
        host: Address to listen on; beyond loopback it needs keys, and TLS or a trusted proxy.
        port: Where to listen; 0 takes any free port.
        tls_cert: PEM file of a certificate and its chain.
        tls_key: Its private key.
        trusted_proxies: Addresses or networks of proxies in front that speak TLS.
        at_once: Runs at a time.
        waiting_max: Runs that may wait.
        data_dir: The data folder whose API keys open it; left out: the usual one of this user.
    """
    from quarterdeck.api.backtest.endpoint import Roots
    from quarterdeck.api.bind import Bind
    from quarterdeck.app.backtest_service import backtest_service, serve_backtests

    if at_once < 1 or waiting_max < 1:
        raise CommandError("--at-once and --waiting-max are 1 or more", EXIT_USAGE)
    service = backtest_service(
        data_dir=data_dir,
        bind=Bind(
            host=host,
            port=port,
            certificate=tls_cert,
            private_key=tls_key,
            trusted_proxies=trusted_proxies,
        ),
        roots=Roots(data=data, catalog=catalog, results=results, inputs=inputs or data),
        at_once=at_once,
        waiting_max=waiting_max,
    )
    return serve_backtests(service, _say_where)


def _say_where(port: int) -> None:
    print_line(f"serving backtests at port {port}")
    sys.stdout.flush()


def _stored(text: str, results: Path) -> StoredRun:
    if text == LATEST:
        runs = runs_in(results)
        if not runs:
            raise NoSuchRunError(f"there is no run in {results}")
        return StoredRun(results, runs[0].run_id)
    path = Path(text)
    return (
        StoredRun(path.parent, path.name) if "/" in text.rstrip("/") else StoredRun(results, text)
    )


def _status(status: RunStatus) -> dict[str, Any]:
    return _document(status)


def _document(value: Any) -> dict[str, Any]:
    import msgspec

    document: dict[str, Any] = msgspec.json.decode(
        msgspec.json.Encoder(decimal_format="string").encode(value)
    )
    return document


def _show(summary: Summary) -> None:
    document = _document(summary)
    totals, conditions = document["totals"], document["conditions"]
    print_rows("orders", ORDERS, document["orders"])
    if document["refused"]:
        print_rows("refused", REFUSED, document["refused"])
    print_fields(
        "totals",
        {
            "run_id": summary.run_id,
            "journal_hash": summary.journal_hash,
            "config_hash": summary.config_hash,
            "orders": totals["orders"],
            "children": totals["children"],
            "fills": totals["fills"],
            "fees": totals["fees"],
            **{
                f"{figure} {quote}": cost[figure]
                for quote, cost in totals["costs"].items()
                for figure in FIGURES
            },
            "equity_change": {c: change["change"] for c, change in totals["equity"].items()},
            "alerts": totals["alerts"],
            "differences": totals["differences"],
            "market_rows": conditions["market_rows"],
            "run_ms": conditions["run_ms"],
            "max_rss_mb": conditions["max_rss_mb"],
        },
    )


def _show_comparison(found: Comparison) -> None:
    document = _document(found)
    print_fields(
        "runs", {name: document[name] for name in ("a", "b", "same_config", "same_journal")}
    )
    if document["parting"] is not None:
        parting = document["parting"]
        sides = [{"run": name} | (parting[name] or {"input": "ended"}) for name in ("a", "b")]
        print_rows(
            f"first difference, entry {parting['seq']}", ("run", "at_ns", "input", "events"), sides
        )
    rows = [
        row
        | {
            f"{side}_{name}": (row[side] or {}).get(name)
            for side in ("a", "b")
            for name in ("state", "filled", "avg_px")
        }
        for row in document["orders"]
    ]
    print_rows(f"orders that differ ({found.equal_orders} are equal)", DIFFERING, rows)
    print_rows("totals", TOTALS, document["totals"])
