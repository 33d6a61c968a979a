"""Whether each account's driver exists and takes the settings that it is given."""

from quarterdeck.app.expansion import Fault
from quarterdeck.app.settings import Settings
from quarterdeck.gateways.registry import build_driver


def driver_faults(settings: Settings) -> list[Fault]:
    """Return what is wrong with the accounts' drivers; building one connects to nothing."""
    faults = []
    for number, section in enumerate(settings.accounts):
        try:
            build_driver(section.driver, section.account, section.venue, section.settings)
        except ValueError as error:
            faults.append(Fault(place=("accounts", number), text=str(error)))
    return faults
