"""Asks the run's network for what only it knows, and shows the answer when it comes: the decision
boundary, the fit, how often each unit fires, and how noisy the gradient is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from caveats_tui.charts.boundary import boundary_map, grid_size
from caveats_tui.charts.lab_charts import fit
from caveats_tui.charts.neuron_map import UnitStates, neuron_map
from caveats_tui.charts.noise_scale import NoiseReadings, noise
from caveats_tui.charts.spec import Floats, Look
from caveats_tui.charts.trace import Trace
from caveats_tui.screens.lab.panel import Panel
from caveats_tui.screens.windows import hand_over

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from caveats.history import History
    from caveats.views import FittedCurve, Plane
    from caveats_tui.bench.protocol import Bench, Question
    from caveats_tui.charts.process import ChartProcess

__all__ = ["Asking"]


class Asking:
    """Shows a run's network in panels; ``charts`` draws the fit."""

    def __init__(self, charts: ChartProcess) -> None:
        self._charts = charts
        # How often the units of a run fire, as its network said last.
        self._rates: tuple[History | None, tuple[Floats, ...]] = None, ()
        # The noise scales that the network of a run has told, by step.
        self._noise: tuple[History | None, dict[int, float]] = None, {}
        self._shown: tuple[object, UnitStates, tuple[str, ...], Look] = None, (), (), Look(0, 0)

    def boundary(self, panel: Panel, bench: Bench, look: Look) -> None:
        from caveats.views import plane

        across, down = grid_size(look)

        def show(seen: Plane) -> None:
            if seen.classes.shape == (down, across):  # or the panel has another size by now
                panel.picture = seen
                panel.show(boundary_map(seen, look))

        ask(panel, bench, lambda network, data: plane(network, data, across, down), show)

    def fit(self, panel: Panel, bench: Bench, look: Look) -> None:
        from caveats.views import fitted_curve

        def show(seen: FittedCurve) -> None:
            panel.picture = seen
            self._charts.submit(panel.id or "", fit(seen, look))

        ask(panel, bench, lambda network, data: fitted_curve(network, data, 2 * look.width), show)

    def noise(self, panel: Panel, bench: Bench, trace: Trace, look: Look) -> None:
        """Read the noise scale now, and show all readings of this run since the view was opened."""
        from caveats.views import gradient_noise

        config = bench.shown

        def show(value: float) -> None:
            if self._noise[0] is not trace.history:
                self._noise = trace.history, {}
            readings = self._noise[1]
            readings[bench.status.step] = value
            data = bench.dataset
            rows = config.training.batch_size or (data.rows if data is not None else 0)
            seen = NoiseReadings(
                np.array([*readings], dtype=float), np.array([*readings.values()]), rows
            )
            panel.picture = seen
            made = noise(seen, trace, look, panel.limits)
            panel.limits = made.y_limits
            self._charts.submit(panel.id or "", made)

        ask(panel, bench, lambda network, data: gradient_noise(network, data, config), show)

    def neurons(self, panel: Panel, bench: Bench, trace: Trace, look: Look) -> None:
        """Show the units' states at once, and how often they fire as soon as the network of a run
        in training has told it, where every unit has a cell."""
        states = trace.seen.states[-1][:-1]
        names = trace.layers[: len(states)]
        asks = not (bench.watching or trace.cursor is not None or look.charset == "ascii")
        asks = asks and 0 < sum(map(len, states)) < look.width * look.height
        known = self._rates[1] if asks and self._rates[0] is trace.history else ()
        panel.show(neuron_map(states, names, look, known))
        self._shown = panel.drawn, states, names, look
        if not asks:
            return
        from caveats.views import firing_rates

        def show(rates: tuple[Floats, ...]) -> None:
            drawn, states, names, look = self._shown  # newer ones than those asked about, perhaps
            self._rates = trace.history, rates
            if panel.drawn is drawn and len(rates) == len(states):
                panel.show(neuron_map(states, names, look, rates))

        ask(panel, bench, firing_rates, show)


def ask(panel: Panel, bench: Bench, question: Question, show: Callable[[Any], None]) -> None:
    """Call ``show`` with the network's answer, or say in the panel why there is none, unless the
    panel has another view by then."""
    app, screen, view = panel.app, panel.screen, panel.view

    def take(answer: Any) -> None:
        if panel.view == view:
            show(answer)

    def refuse(sentence: str) -> None:
        if panel.view == view and view != "neurons":
            panel.picture = None
            panel.wait(sentence)

    bench.ask(
        question,
        lambda answer: hand_over(app, screen, take, answer),
        lambda sentence: hand_over(app, screen, refuse, sentence),
    )
