"""The gateway process of one account, as the desk's settings describe it."""

from quarterdeck.app.places import Places
from quarterdeck.app.settings import AccountSection, Settings
from quarterdeck.gateways.capture.settings import CaptureSettings
from quarterdeck.gateways.outbox import Rate
from quarterdeck.gateways.process import run_gateway
from quarterdeck.gateways.settings import GatewaySettings
from quarterdeck.telemetry import logging


class UnknownAccountError(ValueError):
    """The settings have no such account; the text lists those that there are."""


def serve_gateway(settings: Settings, account: str) -> None:
    """Run the gateway of an account until told to stop.

    Raises:
        UnknownAccountError: if the settings do not name it.
        ValueError: if its driver does not exist or refuses its settings.
        LockHeldError: if a gateway of the account runs already.
    """
    places = Places(data_dir=settings.desk.data_dir)
    places.make()
    logging.configure(settings.log.level)
    run_gateway(gateway_settings(settings, places, account))


def gateway_settings(settings: Settings, places: Places, account: str) -> GatewaySettings:
    """Return what the gateway of an account is told."""
    socket_dir = places.socket_dir(section.account for section in settings.accounts)
    section = _section(settings, account)
    return GatewaySettings(
        account=section.account,
        venue=section.venue,
        driver=section.driver,
        driver_settings=section.settings,
        run_dir=str(socket_dir),
        desk_id=settings.desk.id,
        instruments=section.instruments,
        rate=Rate(
            per_s=section.rate.per_s,
            burst=section.rate.burst,
            cancel_reserve=section.rate.cancel_reserve,
        ),
        capture=_capture(settings, section),
    )


def _capture(settings: Settings, section: AccountSection) -> CaptureSettings | None:
    capture = settings.capture
    if capture.folder is None or not section.capture:
        return None
    return CaptureSettings(folder=str(capture.folder), free_bytes_min=capture.free_mb_min * 2**20)


def _section(settings: Settings, account: str) -> AccountSection:
    for section in settings.accounts:
        if section.account == account:
            return section
    known = ", ".join(section.account for section in settings.accounts) or "none"
    raise UnknownAccountError(f"account {account!r} is not in the settings; there are: {known}")
