"""Run benchmarks by name, or all of them: `./dev bench [name …]`."""

import importlib
import sys
from pathlib import Path

NAMES = ("decide", "writer", "accept", "restart", "routing", "conversion", "backtest")


def main(arguments: list[str]) -> int:
    """Run what was named."""
    sys.path.insert(0, str(Path(__file__).parent.parent))
    unknown = [name for name in arguments if name not in NAMES]
    if unknown:
        print(f"no benchmark {', '.join(unknown)}; there are: {', '.join(NAMES)}", file=sys.stderr)
        return 2
    for name in arguments or NAMES:
        importlib.import_module(f"benchmarks.{name}").main()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
