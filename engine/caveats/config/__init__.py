"""Configurations: the table of settings, and a run's settings read, changed, compared and written.

It knows neither torch nor what the data hold.
"""

from caveats.config.run_config import RunConfig, is_live, parse_assignment

__all__ = ["RunConfig", "is_live", "parse_assignment"]
