"""The named experiments: each shows a caveat on real or simple data, with the change that cures it.

They are TOML files in this folder. Reading them needs no torch; tests check that each shows its
caveat.
"""

from caveats.experiments.experiment import Experiment, experiments, find

__all__ = ["Experiment", "experiments", "find"]
