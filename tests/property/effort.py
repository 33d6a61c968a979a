"""How hard the properties are tried: `QUARTERDECK_HYPOTHESIS=long` tries much harder."""

import os

from hypothesis import HealthCheck, settings

SLOW_IS_FINE = [HealthCheck.too_slow, HealthCheck.filter_too_much]
settings.register_profile(
    "short",
    max_examples=300,
    stateful_step_count=40,
    deadline=None,
    derandomize=True,
    suppress_health_check=SLOW_IS_FINE,
)
settings.register_profile(
    "long",
    max_examples=5_000,
    stateful_step_count=80,
    deadline=None,
    suppress_health_check=SLOW_IS_FINE,
)
PROFILE = settings.get_profile(os.environ.get("QUARTERDECK_HYPOTHESIS", "short"))
"""Given to each machine by name: a loaded profile would change the other tests' settings too."""
