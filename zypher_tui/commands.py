"""What the command palette offers: the screens, what keys do here, filters, themes."""

from collections.abc import Awaitable, Callable, Iterable, Iterator
from functools import partial

from textual.actions import parse
from textual.app import App
from textual.binding import Binding
from textual.dom import DOMNode

from zypher_jobs.contracts.prediction import Status
from zypher_jobs.contracts.stats import Overview
from zypher_tui.choices import Choices
from zypher_tui.guide import Guide
from zypher_tui.keymap import ALSO, Keyed, display, keymap, place_of
from zypher_tui.themes import THEMES
from zypher_tui.widgets.commands import Command


def commands_for(
    app: App[int], chain: Iterable[DOMNode], *, guide: Guide, choices: Choices, overview: Overview | None
) -> list[Command]:
    """``chain`` is what has the focus and all around it."""
    screens = [
        Command(f"Open {title}", partial(guide.open_pane, index), "screen", str(index + 1))
        for index, title in enumerate(guide.titles)
    ]
    filters = [Command(f"Show {text}", partial(guide.open_filtered, text), "filter") for text in _filters(overview)]
    themes = [
        Command(f"Theme {theme.name}", partial(choices.choose_theme, theme), theme.says) for theme in THEMES.values()
    ]
    return [*screens, *_keys_of(chain, app), *filters, *themes]


def run_behind(app: App[int], command: Command) -> None:
    """Once the palette is gone and what it was called from has the focus again."""

    async def run() -> None:
        done = command.run()
        if isinstance(done, Awaitable):
            await done

    app.call_later(run)


def _filters(overview: Overview | None) -> list[str]:
    """One for each status, and for each model that a filter can name as it is."""
    models = sorted({count.model for count in overview.counts}) if overview else []
    named = [f"model:{model}" for model in models if model and not set(model) & set(' "*')]
    return [*(f"status:{status.value}" for status in Status), *named]


def _keys_of(chain: Iterable[DOMNode], app: App[int]) -> list[Command]:
    """What keys do, from within outwards; each once."""
    commands = dict[str, Command]()
    for node in chain:
        for cls, binding in _bindings(node):
            name = binding.id
            if (
                name
                and name not in commands
                and not name.startswith(("screen-", "commands"))
                and _is_there(node, binding)
            ):
                key = display(keymap.chosen_key(name) or binding.key)
                run = _runner(app, binding.action, node)
                commands[name] = Command(binding.description or name, run, place_of(cls), key, ALSO.get(name, ""))
    return [*commands.values()]


def _bindings(node: DOMNode) -> Iterator[tuple[type[Keyed], Binding]]:
    for cls in type(node).__mro__:
        if issubclass(cls, Keyed) and "BINDINGS" in vars(cls):
            yield from ((cls, binding) for binding in cls.BINDINGS if isinstance(binding, Binding))


def _is_there(node: DOMNode, binding: Binding) -> bool:
    """Whether it can be done now; an action of another node is asked when it is chosen."""
    namespace, name, parameters = parse(binding.action)
    return bool(namespace) or node.check_action(name, parameters) is not False


def _runner(app: App[int], action: str, node: DOMNode) -> Callable[[], Awaitable[bool]]:
    return lambda: app.run_action(action, node)
