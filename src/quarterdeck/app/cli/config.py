"""`quarterdeck config`: check a configuration file, show what it means, print its schema."""

import json
import sys
from pathlib import Path

from cyclopts import App

from quarterdeck.app.cli.options import Output
from quarterdeck.app.command_error import EXIT_USAGE
from quarterdeck.app.config_file import ConfigError, plain, read_settings
from quarterdeck.app.driver_check import driver_faults
from quarterdeck.app.expansion import Fault, dotted
from quarterdeck.app.printing import print_json
from quarterdeck.app.settings import Settings

app = App(name="config", help="Check and show configuration files.")

OUTPUT = Output()


@app.command
def check(file: Path, *, output: Output = OUTPUT) -> int:
    """Check a file; every fault is told at once."""
    try:
        settings = read_settings(file)
        faults = driver_faults(settings)
    except ConfigError as error:
        faults = error.faults
    if output.json:
        print_json({"ok": not faults, "faults": [_document(fault) for fault in faults]})
    elif faults:
        sys.stderr.write("".join(f"{file}: {fault}\n" for fault in faults))
    else:
        print(f"{file}: good")
    return EXIT_USAGE if faults else 0


@app.command
def show(file: Path, *, output: Output = OUTPUT) -> int:
    """Print what a file means, defaults filled in and secrets hidden."""
    try:
        shown = plain(read_settings(file), revealed=False)
    except ConfigError as error:
        sys.stderr.write(f"{error}\n")
        return EXIT_USAGE
    if output.json:
        print_json(shown)
    else:
        print(json.dumps(shown, indent=2, ensure_ascii=False))
    return 0


@app.command
def schema() -> None:
    """Print the JSON Schema of the configuration file."""
    print(json.dumps(Settings.model_json_schema(), indent=2))


def _document(fault: Fault) -> dict[str, str]:
    return {"place": dotted(fault.place), "text": fault.text}
