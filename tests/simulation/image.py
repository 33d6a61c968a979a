"""A desk's state as plain values: equal images are equal states."""

from collections.abc import Mapping

import msgspec

from quarterdeck.core.desk.state import DeskState


def image(state: DeskState) -> dict[str, object]:
    """Return a state as plain values, so that equal states compare equal."""
    maps: dict[str, Mapping[str, object]] = {
        "parents": state.parents,
        "children": state.children,
        "accounts": state.accounts,
        "instruments": state.instruments,
        "positions": {"|".join(key): value for key, value in state.positions.items()},
        "holdings": {"|".join(key): value for key, value in state.holdings.items()},
        "reserved": {"|".join(key): value for key, value in state.reserved.items() if value},
        "halted": {"|".join(key): value for key, value in state.halted.items()},
        "external": {"|".join(key): value for key, value in state.external_trades.items()},
        "limits": state.limits,
        "switches": {"trading_state": state.trading_state},
    }
    plain = {name: dict(values) for name, values in maps.items()}
    built: dict[str, object] = msgspec.to_builtins(plain)
    return built
