"""A real gateway in its own process."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

END_S = 20.0


class GatewayProcess:
    """Starts on construction; `end` stops it by the signal given and returns its exit code."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        given = {
            "account": "acc",
            "venue": "NULL",
            "driver": "null",
            "run_dir": str(folder / "run"),
            "heartbeat_ms": 50,
            "reconnect_ms": 50,
        }
        path = folder / "gateway.json"
        path.write_text(json.dumps(given | settings))
        self._process = subprocess.Popen(
            [sys.executable, "-m", "quarterdeck.gateways.process", str(path)],
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            env=os.environ | {"PYTHONPATH": "src"},
        )

    def wait(self) -> tuple[int, str]:
        """Wait for its end; return the exit code and what it complained of."""
        _, complaint = self._process.communicate(timeout=END_S)
        return self._process.returncode, complaint.decode()

    def end(self, number: signal.Signals = signal.SIGKILL) -> int:
        """Stop it, if it still runs."""
        if self._process.returncode is None:
            self._process.send_signal(number)
            self.wait()
        return self._process.returncode
