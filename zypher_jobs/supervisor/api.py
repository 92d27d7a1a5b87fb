"""The API processes: one listening socket and one board for all of them, a seat for each."""

import socket
from collections.abc import Callable

from zypher_jobs.board import Board, LaneState
from zypher_jobs.settings import MOST_API_PROCESSES, Settings
from zypher_jobs.supervisor.child import Reaper
from zypher_jobs.supervisor.command import CommandPart
from zypher_jobs.supervisor.console import Console
from zypher_jobs.supervisor.part import Running
from zypher_jobs.supervisor.probes import api_url


class Seats:
    """What the API processes share. The socket stays open while any of them is started again: callers wait, none is
    turned away."""

    def __init__(self, listener: socket.socket) -> None:
        self.listener = listener
        self.board = Board.shared(lanes=2 * MOST_API_PROCESSES)
        self._taken: dict[int, int] = {}

    @property
    def fds(self) -> tuple[int, int]:
        """What a process inherits: the listening socket and the board."""
        assert self.board.fd is not None
        return self.listener.fileno(), self.board.fd

    @property
    def is_served(self) -> bool:
        """Whether a process is ready."""
        return any(self.board.lane(number).state is LaneState.READY for number in self._taken)

    def take(self) -> int:
        """A free lane: the first, so that sums go over few."""
        number = next(number for number in range(self.board.lane_count) if number not in self._taken)
        self._taken[number] = 0
        return number

    def leave(self, number: int) -> None:
        """The process in it has ended."""
        self.board.lane(number).leave()
        del self._taken[number]

    def close(self) -> None:
        """No more processes, no more connections; each process has the socket until it drains."""
        self.board.stop()
        self.listener.close()


class ApiPart(CommandPart):
    """One API process."""

    def __init__(
        self,
        which: str,
        *,
        seats: Seats,
        settings: Settings,
        redis_url: str,
        reaper: Reaper,
        console: Console,
        on_start: Callable[[], None],
    ) -> None:
        super().__init__(
            "api",
            which,
            settings=settings,
            redis_url=redis_url,
            look=self._look_at,
            reaper=reaper,
            console=console,
            on_start=on_start,
        )
        self._seats = seats
        self._lanes: dict[int, int] = {}

    def start(self, *, replaces: bool = False) -> Running:
        """Start it on the shared socket. It takes connections at once, unless somebody else does."""
        entry = "complete" if replaces else "loaded" if self._seats.is_served else "at-once"
        listener_fd, board_fd = self._seats.fds
        lane = self._seats.take()
        try:
            child = self._child(
                ["--seat", f"{listener_fd},{board_fd},{lane},{entry}"],
                pass_fds=(listener_fd, board_fd),
                on_end=lambda: self._seats.leave(lane),
            )
        except OSError:
            self._seats.leave(lane)
            raise
        self._lanes = {pid: number for pid, number in self._lanes.items() if number != lane} | {child.pid: lane}
        return child

    async def _look_at(self, settings: Settings, redis_url: str, pid: int) -> str | None:  # noqa: ARG002
        """Ready once it has said so on its lane."""
        lane = self._seats.board.lane(self._lanes[pid])
        is_ready = lane.pid == pid and lane.state is LaneState.READY
        return f"{api_url(settings)} (docs: /docs)" if is_ready else None


def api_names(count: int) -> list[str]:
    """Which is which, of that many; one alone has no number."""
    return [f"{number} of {count}" for number in range(1, count + 1)] if count > 1 else [""]
