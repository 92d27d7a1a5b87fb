"""Figures that never came: whether there are none to show, and what keeps them away."""

from collections.abc import Callable, Sequence

from zypher_tui.core.store import Store
from zypher_tui.core.troubles import Addresses, Trouble, troubles_of
from zypher_tui.core.view import Link, View

CONNECTING_S = 1.0
"""Before that, an empty screen says enough: most answer sooner."""


class Absence:
    """One for each dashboard."""

    def __init__(self, store: Store, addresses: Addresses, *, clock_s: Callable[[], float]) -> None:
        self.began_s = clock_s()
        """Since when the sources are asked."""
        self._store = store
        self._addresses = addresses
        self._clock_s = clock_s

    @property
    def troubles(self) -> Sequence[Trouble]:
        """What keeps figures away now."""
        return troubles_of(self._store.view(self._clock_s()), self._addresses, asked_s=self._asked_s)

    def is_felt(self, view: View) -> bool:
        """Whether there is nothing to show, so that why is shown instead."""
        if view.has_figures or view.past_s is not None:
            return False
        is_connecting = all(link.link is Link.CONNECTING for link in view.links)
        return not is_connecting or self._asked_s >= CONNECTING_S

    @property
    def _asked_s(self) -> float:
        return self._clock_s() - self.began_s
