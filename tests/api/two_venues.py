"""A running desk with the same pair at two venues that differ in price, depth and fee."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path

from msgspec.structs import replace
from tests.api.standins import BTC, ETH, LIMITS, Rig, running_desk, spot

from quarterdeck.core.model.commands import SetLimits
from quarterdeck.core.model.instrument import Instrument, Settlement
from quarterdeck.core.model.market import MarketView

OKX = "OKX:SPOT_PAIR:BTC-USDT"
PERP = "BINANCE-FUTURES:PERPETUAL:BTC-USDT@LIN"
OKX_ACCOUNT = "okx-main"


def _with_fee(instrument: Instrument, taker_fee_bps: str) -> Instrument:
    return replace(instrument, taker_fee_bps=Decimal(taker_fee_bps))


@asynccontextmanager
async def two_venues(folder: Path) -> AsyncGenerator[Rig]:
    """Binance asks 50001 for 2 BTC at 10 bps, OKX asks 50003 for 1 BTC at 9.9 bps."""
    named = (_with_fee(spot(BTC, "BTC"), "10"), spot(ETH, "ETH"))
    async with running_desk(folder, instruments=named) as rig:
        limits = {BTC: LIMITS, ETH: LIMITS, OKX: LIMITS, PERP: LIMITS}
        assert await rig.desk.execute(SetLimits(limits=limits, by="test")) is None
        await rig.connect(OKX_ACCOUNT, "OKX", (_with_fee(spot(OKX, "BTC"), "9.9"),))
        perpetual = Instrument(
            id=PERP,
            symbol="BTCUSDT",
            settlement=Settlement.LINEAR,
            base="BTC",
            quote="USDT",
            settle="USDT",
            tick_px=Decimal("0.1"),
            lot_qty=Decimal("0.001"),
        )
        await rig.connect("perps", "BINANCE-FUTURES", (perpetual,))
        rig.desk.on_view(
            OKX_ACCOUNT,
            MarketView(
                instrument=OKX,
                bids=((Decimal(50000), Decimal(1)),),
                asks=((Decimal(50003), Decimal(1)), (Decimal(50010), Decimal(3))),
                seq=1,
                at_ns=rig.clock.now_ns(),
            ),
        )
        yield rig
