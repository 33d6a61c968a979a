"""A whole system of its own for the demonstration: own data folder, own ports, own supervisor.

It is started as a user would start it, with `quarterdeck up` on a file, and it ends with the
process that started it, however that ends.
"""

import contextlib
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from quarterdeck.app import child_exec
from quarterdeck.app.command_error import CommandError
from quarterdeck.app.defaults import (
    VENUES,
    Ports,
    admin_token,
    default_configuration,
    sample_data,
)
from quarterdeck.app.desk_client import DeskClient
from quarterdeck.app.places import Places, write_private
from quarterdeck.app.state_file import read_state
from quarterdeck.app.toml_text import to_toml
from quarterdeck.store.deadline import Deadline

START_S_MAX: Final = 120.0
WAIT_S_MAX: Final = 60.0
STOP_S_MAX: Final = 60.0
RECORDED_SPEED: Final = "4"
SYNTHETIC_SPEED: Final = "1"
NOT_INHERITED: Final = ("DATABASE_URL", "QUARTERDECK_CONFIG", "QUARTERDECK_DATA_DIR")
"""The demonstration must not touch a desk or database that the user works with."""


class DemoError(Exception):
    """The demonstration could not go on; the text says what was waited for."""


class DemoSystem:
    """Running between `with` and its end; on failure its data folder is left for a look."""

    def __init__(self, *, capture: bool = False) -> None:
        """Lay out the data folder; with `capture` the gateways record their markets beside it."""
        self._folder = Path(tempfile.mkdtemp(prefix="quarterdeck-demo-"))
        self._folder.chmod(0o711)  # As root, PostgreSQL's account has to pass.
        self.places = Places(data_dir=self._folder / "data")
        self.places.make()
        desk, *venues = _free_ports(1 + len(VENUES))
        self._ports = Ports(desk=desk, drydock=tuple(venues))
        self.capture = self._folder / "captured" if capture else None
        recorded = sample_data(os.environ) is not None
        made = default_configuration(
            self.places,
            os.environ,
            self._ports,
            speed=RECORDED_SPEED if recorded else SYNTHETIC_SPEED,
            capture=self.capture,
        )
        self.data = made.data
        self._config = self._folder / "quarterdeck.toml"
        write_private(self._config, to_toml(made.table))
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def desk(self) -> DeskClient:
        """The desk's API, with the key of this machine's commands."""
        token = self.places.cli_token.read_text(encoding="utf-8").strip()
        return DeskClient(url=f"http://127.0.0.1:{self._ports.desk}", token=token)

    def __enter__(self) -> Self:
        environment = {k: v for k, v in os.environ.items() if k not in NOT_INHERITED}
        up = (sys.executable, "-m", "quarterdeck.app.cli", "up", "--config", str(self._config))
        launcher = (sys.executable, "-I", "-S", child_exec.__file__, str(os.getpid()))
        with (self._folder / "up.log").open("wb") as log:
            self._process = subprocess.Popen(
                (*launcher, *up, "--json"),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=environment,
                start_new_session=True,  # Ctrl-C is for us, who stop it in order.
            )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        process = self._process
        if process is not None and process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(STOP_S_MAX)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        if error is None or isinstance(error, KeyboardInterrupt | SystemExit):
            shutil.rmtree(self._folder, ignore_errors=True)
        else:
            sys.stderr.write(f"logs and data are left in {self._folder}\n")

    def wait_until_up(self) -> None:
        """Wait until the supervisor says that everything is up.

        Raises:
            DemoError: if it ends or takes too long.
        """
        self.wait_for(
            "everything to start",
            lambda: b'"processes"' in self._said() and self._is_running(),
            within_s=START_S_MAX,
        )

    def kill(self, program: str) -> int:
        """End a program as `kill -9` does, and return the process id that is gone."""
        state = read_state(self.places)
        status = state.processes.get(program) if state is not None else None
        if status is None or status.pid is None:
            raise DemoError(f"{program} does not run")
        os.kill(status.pid, signal.SIGKILL)
        return status.pid

    def ask(self, path: str) -> Any:
        """GET from the desk; None while it is away or says no for now."""
        try:
            return self.desk.get(path)
        except CommandError:
            return None

    def venue(self, account: str) -> dict[str, Any]:
        """Return what a venue itself holds for its account: orders, trades, balances."""
        port = dict(zip((v.account for v in VENUES), self._ports.drydock, strict=True))[account]
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        try:
            connection.request("GET", "/state", headers={"X-Admin-Token": admin_token(self.places)})
            answer = connection.getresponse()
            state = json.loads(answer.read())
        finally:
            connection.close()
        held: dict[str, Any] = state["accounts"][account]
        return held

    def wait_for[T](self, what: str, ask: Callable[[], T], *, within_s: float = WAIT_S_MAX) -> T:
        """Ask again and again until the answer is true, and return it.

        Raises:
            DemoError: if it does not become true in time.
        """
        deadline = Deadline(within_s)
        while not (found := ask()):
            if not self._is_running():
                raise DemoError(f"the supervisor ended: {self._said().decode(errors='replace')}")
            if deadline.passed:
                raise DemoError(f"waited {within_s:.0f} s in vain for {what}")
            deadline.pause()
        return found

    def _is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def _said(self) -> bytes:
        return (self._folder / "up.log").read_bytes()


def _free_ports(count: int) -> list[int]:
    """Return ports that nobody listens on, each another one."""
    with contextlib.ExitStack() as held:
        servers = [held.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [server.getsockname()[1] for server in servers]
