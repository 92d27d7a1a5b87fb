"""All keys: which actions there are and where, and which keys a person gave them instead.

An action's name comes from what its binding says: ``Time span`` is ``time-span``. Bindings that say the same are one
action, wherever they are. Whoever has bindings is ``Keyed``; Textual's keymap does the rest.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import ClassVar, Literal

import msgspec
from textual.app import App
from textual.binding import Binding, BindingType
from textual.keys import KEY_NAME_REPLACEMENTS, Keys, format_key
from textual.screen import ModalScreen, Screen

from zypher_tui.config import Config, WrongConfig, did_you_mean

MODIFIERS = ("ctrl", "shift", "alt", "super", "hyper", "meta")


ALSO = {
    "replay": "retry rerun again",
    "retry-now": "replay rerun again due",
    "retry-them-all-now": "replay rerun again due",
    "replay-them-all": "retry rerun again",
    "replay-all-of-the-kind": "retry rerun again",
    "retry": "replay",
    "cancel": "abort stop kill",
    "cancel-them-all": "abort stop kill purge",
    "drop": "delete remove discard",
    "drop-them-all": "delete remove discard purge",
    "drop-all-of-the-kind": "delete remove discard purge",
    "pause-purge-a-queue": "resume empty clear",
    "last-actions": "log history audit stop",
    "switch-traffic": "deploy release canary shadow",
    "roll-back": "rollback revert undo",
}
"""Other words under which an action is looked for, in the palette and in the help."""


class Help(msgspec.Struct, frozen=True):
    """What a widget tells a person who asks."""

    title: str
    says: str
    """What it shows, in a sentence or two."""
    words: tuple[tuple[str, str], ...] = ()
    """What the words on it mean."""


class Keyed:
    """Gives the bindings of a class their names."""

    BINDINGS: ClassVar[list[BindingType]]
    PLACE: ClassVar[str] = ""
    """Where its keys work, in a word or two; by default the name of the class."""
    ABOUT: ClassVar[Help | None] = None

    def __init_subclass__(cls, **arguments: bool) -> None:
        if "BINDINGS" in vars(cls):
            named: list[BindingType] = [_named(binding) for binding in Binding.make_bindings(cls.BINDINGS)]
            cls.BINDINGS = named  # pyright: ignore[reportConstantRedefinition]  # Textual reads it there
            _owners.append(cls)
        super().__init_subclass__(**arguments)


_owners: list[type[Keyed]] = []


class Action(msgspec.Struct, frozen=True, kw_only=True):
    """Something that a key does."""

    name: str
    says: str
    keys: tuple[str, ...]
    """As they are unless a person chose others, in Textual's words."""
    owners: tuple[type[Keyed], ...]


def actions() -> dict[str, Action]:
    """All that can have another key, in the order in which they were made, those of everywhere first."""
    found = dict[str, Action]()
    for owner in sorted(_owners, key=lambda each: not issubclass(each, App)):
        for binding in owner.BINDINGS:
            if not isinstance(binding, Binding) or binding.id is None:
                continue
            before = found.get(binding.id)
            keys = (*before.keys, binding.key) if before else (binding.key,)
            owners = (*before.owners, owner) if before else (owner,)
            found[binding.id] = Action(
                name=binding.id,
                says=before.says if before else binding.description or binding.id,
                keys=tuple(dict.fromkeys(keys)),
                owners=tuple(dict.fromkeys(owners)),
            )
    return found


class Keymap:
    """The keys in use. Read it when drawing, as the palette."""

    def __init__(self) -> None:
        self._chosen: dict[str, tuple[str, ...]] = {}

    def use(self, config: Config | None) -> None:
        """Use the keys that a person chose; raises ``WrongConfig``."""
        self._chosen = checked(config) if config else {}

    @property
    def for_textual(self) -> Mapping[str, str]:
        """As ``App.set_keymap`` takes it."""
        return {name: ",".join(keys) for name, keys in self._chosen.items()}

    def keys_of(self, action: Action) -> tuple[str, ...]:
        """Those that work now."""
        return self._chosen.get(action.name, action.keys)

    def chosen_key(self, name: str) -> str | None:
        """The first key that a person gave to an action; ``None``: it has its own."""
        return next(iter(self._chosen.get(name, ())), None)

    def shown(self, keys: str, *owners: type[Keyed]) -> str:
        """What a person presses instead of these keys, as they are by default: ``[ ]``; those of the owners win."""
        if not self._chosen:
            return keys
        return " ".join(self._shown(key, owners) for key in keys.split(" "))

    def pressed(self, shown: str) -> str | None:
        """The key, in Textual's words, that a person sees as this."""
        keys = (key for action in actions().values() for key in self.keys_of(action))
        return next((key for key in keys if shown in (key, display(key))), None)

    def _shown(self, key: str, owners: Sequence[type[Keyed]]) -> str:
        found = [action for action in actions().values() if key in (*action.keys, *map(display, action.keys))]
        found.sort(key=lambda action: not any(issubclass(owner, action.owners) for owner in owners))
        return display(self.keys_of(found[0])[0]) if found and found[0].name in self._chosen else key


keymap = Keymap()


def checked(config: Config) -> dict[str, tuple[str, ...]]:
    """The chosen keys in Textual's words; raises ``WrongConfig`` for what is unknown or would do two things."""
    known = actions()
    chosen = dict[str, tuple[str, ...]]()
    for name, keys in config.keys.items():
        where = config.where(name, table="keys")
        if name not in known:
            raise WrongConfig(f"{where}: {name} is not an action. {_nearest(name, known)}")
        if not keys:
            raise WrongConfig(f'{where}: {name} has no key; {name} = ["{known[name].keys[0]}"] is as it was.')
        chosen[name] = tuple(_key(key, where) for key in keys)
    for name in chosen:
        _refuse_two_on_one_key(name, known, chosen, config)
    return chosen


def as_file(config: Config | None = None) -> str:
    """All actions with their keys, as a configuration file."""
    chosen = checked(config) if config else {}
    lines = [f"# The keys of the dashboard, to be kept in {config.path if config else 'dashboard.toml'}.", "[keys]"]
    place = ""
    for action in actions().values():
        if (here := place_of(action.owners[0])) != place:
            place = here
            lines += ["", f"# {place}"]
        keys = ", ".join(f'"{_written(key)}"' for key in chosen.get(action.name, action.keys))
        lines.append(f"{f'{action.name} = [{keys}]':<44} # {action.says}")
    return "\n".join(lines) + "\n"


def place_of(owner: type[Keyed]) -> str:
    """Where its keys work."""
    if issubclass(owner, App):
        return "everywhere"
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", owner.__name__).lower()
    return owner.PLACE or str(getattr(owner, "TITLE", "") or words)


def display(key: str) -> str:
    """A key as it is shown: ``?``, ``^t``, ``⏎``."""
    *modifiers, last = key.split("+")
    shown = format_key(last)
    if "ctrl" in modifiers:
        modifiers.remove("ctrl")
        shown = f"^{shown}"
    return "+".join((*modifiers, shown))


def _named(binding: Binding) -> Binding:
    """With its action's name as its id; those of the system keep their keys."""
    if binding.system or binding.id:
        return binding
    says = binding.description or binding.action
    return replace(binding, id=re.sub(r"[^a-z0-9]+", "-", says.lower().replace("'", "")).strip("-"))


def _key(key: str, where: str) -> str:
    """In Textual's words; raises ``WrongConfig`` for what is none."""
    *modifiers, last = key.split("+") if len(key) > 1 else [key]
    if key and all(modifier in MODIFIERS for modifier in modifiers):
        if len(last) == 1:
            last = next(iter(Binding.make_bindings([Binding(last if last != "," else "comma", "x")]))).key
        if last in _KEY_NAMES or (len(last) == 1 and last.isprintable()):
            return "+".join((*modifiers, last))
    near = did_you_mean(key, _KEY_NAMES)
    hint = near if near.startswith("Did") else 'Keys are written as "x", "X", "?", "f5", "ctrl+x", "pageup".'
    raise WrongConfig(f"{where}: {key!r} is not a key. {hint}")


def _written(key: str) -> str:
    """As a person writes it in the file."""
    shown = format_key(key)
    return shown if len(shown) == 1 and shown not in '"\\' and key not in _ARROWS else key


def _nearest(name: str, known: Iterable[str]) -> str:
    near = did_you_mean(name, known)
    return near if near.startswith("Did") else "`zypher tui --keys` prints them all."


def _refuse_two_on_one_key(
    name: str, known: Mapping[str, Action], chosen: Mapping[str, tuple[str, ...]], config: Config
) -> None:
    for other in known.values():
        if other.name == name or not _meet(known[name].owners, other.owners):
            continue
        for key in chosen[name]:
            was_so = key in known[name].keys and key in other.keys
            if key in chosen.get(other.name, other.keys) and not was_so:
                raise WrongConfig(
                    f"{config.where(name, table='keys')}: {_written(key)} would do two things on one screen: "
                    f"{name} and {other.name}. Give {other.name} another key, or {name}."
                )


def _meet(some: Iterable[type[Keyed]], others: Iterable[type[Keyed]]) -> bool:
    """Whether two of them can be on one screen, and so hear the same key."""
    return any(_on_one_screen(one, other) for one in some for other in others)


def _on_one_screen(one: type[Keyed], other: type[Keyed]) -> bool:
    if issubclass(one, other) or issubclass(other, one):
        return True
    kinds = {_kind(one), _kind(other)}
    if "dialog" in kinds:
        return False  # it hears its own keys only
    # of two screens or two widgets one has the focus, and what lies over the panes has no widget of theirs
    return "app" in kinds or kinds == {"pane", "widget"}


def _kind(owner: type[Keyed]) -> Literal["app", "dialog", "screen", "pane", "widget"]:
    if issubclass(owner, App):
        return "app"
    if issubclass(owner, Screen):
        return "dialog" if issubclass(owner, ModalScreen) else "screen"
    return "pane" if hasattr(owner, "TITLE") else "widget"


_ARROWS = ("up", "down", "left", "right", "enter", "minus", "backspace", "tab", "space")
_KEY_NAMES = (
    {key.value for key in Keys if "+" not in key.value and not key.value.startswith("<")}
    | set(KEY_NAME_REPLACEMENTS.values())
    | {next(iter(Binding.make_bindings([Binding(chr(code), "x")]))).key for code in range(33, 127) if chr(code) != ","}
    | {"comma"}
)
