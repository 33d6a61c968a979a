"""What the exit codes mean, and the way out of a command that cannot go on."""

from typing import Final

EXIT_REFUSED: Final = 1
"""Understood, and refused, denied or found not to be true."""
EXIT_USAGE: Final = 2
"""Not understood: the command line or a configuration."""
EXIT_UNREACHABLE: Final = 3
"""The desk or its database does not answer."""


CODES: Final = {EXIT_REFUSED: "refused", EXIT_USAGE: "usage", EXIT_UNREACHABLE: "unreachable"}


class CommandError(Exception):
    """Ends the command with a message on standard error and an exit code."""

    def __init__(self, text: str, code: int = EXIT_REFUSED) -> None:
        self.code = code
        super().__init__(text)

    def document(self) -> dict[str, object]:
        """Return what `--json` prints."""
        return {
            "error": {"code": CODES.get(self.code, "refused"), "field": None, "text": str(self)}
        }
