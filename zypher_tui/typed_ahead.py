"""What is typed ahead lands where it was meant to: each key is heard once what the one before it did is done."""

import asyncio
from collections import deque
from contextlib import suppress

from textual import events
from textual.app import App
from textual.message import Message
from textual.message_pump import MessagePump

LONGEST_S = 0.25
"""What takes longer goes on while the next key is heard."""
_ROUNDS = 8
"""A key passes from what has the focus up to the app, one queue after the other, and the focus moves behind that."""


class KeysInOrder(App[int]):
    """On a slow link keys arrive together, and the letters behind ``/`` would be keys that act.

    For Textual hands a key to what has the focus when it arrives, and moves the focus a few turns after the key that
    asks for that.
    """

    _typed: deque[events.Key]
    _handing: asyncio.Task[None] | None = None

    def post_message(self, message: Message) -> bool:
        """See ``MessagePump``. Keys wait for those before them."""
        if not isinstance(message, events.Key) or message.is_forwarded:
            return super().post_message(message)
        if self._handing is None:
            self._typed = deque([message])
            self._handing = asyncio.create_task(self._hand_on())
        else:
            self._typed.append(message)
        return True

    async def _hand_on(self) -> None:
        try:
            while self._typed:
                if super().post_message(self._typed.popleft()):
                    with suppress(TimeoutError):
                        async with asyncio.timeout(LONGEST_S):
                            await self._settle()
        finally:
            self._handing = None

    async def _settle(self) -> None:
        """Until whatever is on the key's way has taken what lay before it, again and again."""
        for _ in range(_ROUNDS):
            inner = self.focused or self.screen
            way: list[MessagePump] = [each for each in inner.ancestors_with_self if each.is_running]
            left, done = len(way), asyncio.Event()

            def pass_by(done: asyncio.Event = done) -> None:
                nonlocal left
                left -= 1
                if left == 0:
                    done.set()

            for each in way:
                if not each.call_later(pass_by):
                    pass_by()
            await done.wait()
