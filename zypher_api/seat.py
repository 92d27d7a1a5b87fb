"""``Seat``: what one of several API processes gets from its supervisor."""

import socket
from enum import StrEnum

import msgspec

from zypher_jobs.board import Board, Lane


class Entry(StrEnum):
    """When a process begins to take connections."""

    AT_ONCE = "at-once"
    """Its models load behind the first requests: nobody else would answer them."""
    LOADED = "loaded"
    """Once every model has loaded or failed to: others serve meanwhile."""
    COMPLETE = "complete"
    """Once every model has loaded; it ends if one cannot, for another process that is well would give way to it."""


class Seat(msgspec.Struct, frozen=True, kw_only=True):
    """A listening socket, a lane on the board, and when to begin."""

    board: Board
    lane: Lane
    listener: socket.socket | None = None
    entry: Entry = Entry.AT_ONCE

    @classmethod
    def alone(cls) -> "Seat":
        """Of a process without a supervisor."""
        board = Board()
        return cls(board=board, lane=board.lane(0))

    @classmethod
    def inherited(cls, listener_fd: int, board_fd: int, lane: int, entry: Entry) -> "Seat":
        """Of a child, which got the descriptors with its life."""
        board = Board(board_fd)
        return cls(board=board, lane=board.lane(lane), listener=socket.socket(fileno=listener_fd), entry=entry)
