"""The locked requirements are those asked for, with a hash each and no word of where they come from."""

import re
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path
from typing import NamedTuple

import pytest
from packaging.requirements import Requirement
from packaging.utils import NormalizedName, canonicalize_name
from packaging.version import Version

from tests.architecture.project import PROJECT, ROOT

INSTALLED = ["requirements.txt", "requirements-dev.txt", "requirements-build.txt"]
"""Of the environment that the tests run in."""
PEERS = "bench/peers/requirements.txt"
"""Of an environment of its own, which ``just bench queue`` makes."""
LOCKS = [*INSTALLED, PEERS]
ENVIRONMENTS = [
    {
        "sys_platform": system,
        "platform_system": "Linux" if system == "linux" else "Darwin",
        "platform_machine": machine,
        "python_version": python,
        "python_full_version": f"{python}.9",
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
        "os_name": "posix",
    }
    for system, machine in [("linux", "x86_64"), ("linux", "aarch64"), ("darwin", "arm64"), ("darwin", "x86_64")]
    for python in ["3.11", "3.12", "3.13", "3.14"]
]


class Pin(NamedTuple):
    requirement: Requirement
    hashes: list[str]

    @property
    def name(self) -> NormalizedName:
        return canonicalize_name(self.requirement.name)

    @property
    def version(self) -> Version:
        (specifier,) = self.requirement.specifier
        assert specifier.operator == "=="
        return Version(specifier.version)


def pins(lock: str) -> list[Pin]:
    """What a lock file pins; every line of it that is not a comment must be part of a pin."""
    text = re.sub(r"\\\n", " ", (ROOT / lock).read_text(encoding="utf-8"))
    found: list[Pin] = []
    for line in text.splitlines():
        if line.strip() and not line.lstrip().startswith("#"):
            requirement, *hashes = re.split(r"\s--hash=", line)
            found.append(Pin(Requirement(requirement), [each.strip() for each in hashes]))
    return found


def group(name: str) -> list[str]:
    """A dependency group of pyproject.toml, with the groups it includes."""
    lines: list[str] = []
    for entry in PROJECT["dependency-groups"][name]:
        lines += [entry] if isinstance(entry, str) else group(entry["include-group"])
    return lines


def wanted(lock: str) -> list[Requirement]:
    """What pyproject.toml, or the peers' own list, asks of a lock file."""
    project = PROJECT["project"]
    extras = project["optional-dependencies"]
    running = [*project["dependencies"], *extras["onnx"], *extras["otel"], *extras["s3"], *extras["web"]]
    lines = {
        "requirements.txt": running,
        "requirements-dev.txt": [*running, *group("dev")],
        "requirements-build.txt": [*group("build"), *PROJECT["build-system"]["requires"]],
        PEERS: [line for line in _without_comments(Path(PEERS).with_suffix(".in")) if line],
    }
    return [Requirement(line) for line in lines[lock]]


def _without_comments(path: Path) -> list[str]:
    return [re.sub(r"(^|\s)#.*", "", line).strip() for line in (ROOT / path).read_text(encoding="utf-8").splitlines()]


def reasons(lock: str) -> dict[NormalizedName, set[str]]:
    """Who wants each pin, as the comments of a lock file say: a list of requirements (``-r …``), or other pins."""
    found: dict[NormalizedName, set[str]] = {}
    name = None
    for line in (ROOT / lock).read_text(encoding="utf-8").splitlines():
        if pinned := re.match(r"([\w.-]+)==", line):
            name = canonicalize_name(pinned[1])
        elif name and (why := re.match(r"    #(?: via|  ) ?(.*)", line)):
            found.setdefault(name, set()).update({why[1].strip()} - {""})
    return found


def closure(roots: Iterable[Requirement]) -> set[NormalizedName]:
    """Everything that ``roots`` need on this machine, as the installed packages say."""
    reached: set[tuple[NormalizedName, str]] = set()
    todo = [(root, "") for root in roots]
    while todo:
        requirement, extra = todo.pop()
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": extra}):
            continue
        for wanted_extra in ["", *requirement.extras]:
            key = (canonicalize_name(requirement.name), wanted_extra)
            if key not in reached:
                reached.add(key)
                todo += [(Requirement(line), wanted_extra) for line in requires(requirement.name) or []]
    return {name for name, _ in reached}


@pytest.mark.parametrize("lock", LOCKS)
@pytest.mark.parametrize(
    "environment", ENVIRONMENTS, ids="{sys_platform}-{platform_machine}-{python_version}".format_map
)
def test_a_lock_pins_what_the_project_asks_for(lock: str, environment: dict[str, str]) -> None:
    """On every platform and Python it runs on, each dependency has one pinned version, and it is one it may have."""
    held = [pin for pin in pins(lock) if pin.requirement.marker is None or pin.requirement.marker.evaluate(environment)]
    versions = {pin.name: pin.version for pin in held}
    assert len(versions) == len(held), "one version each"
    for requirement in wanted(lock):
        if requirement.marker is None or requirement.marker.evaluate(environment):
            assert requirement.specifier.contains(versions[canonicalize_name(requirement.name)], prereleases=True), (
                requirement
            )


@pytest.mark.parametrize("lock", INSTALLED)
def test_a_lock_pins_no_less_and_no_more(lock: str) -> None:
    """What a dependency needs in turn is pinned; what nothing needs any more is gone: `just lock` was run."""
    held = {pin.name for pin in pins(lock) if pin.requirement.marker is None or pin.requirement.marker.evaluate()}
    try:
        needed = closure(wanted(lock))
    except PackageNotFoundError as error:
        pytest.fail(f"{error.name} is needed but not installed: run `just lock`, then any recipe.")
    assert held == needed


def test_the_peers_lock_pins_what_something_needs() -> None:
    """They are not installed here, but the file says why each is there: `just lock` was run."""
    wants = reasons(PEERS)
    held = {pin.name for pin in pins(PEERS)}
    assert set(wants) == held
    listed = f"-r {Path(PEERS).with_suffix('.in')}"
    assert {name for name, why in wants.items() if listed in why} == {
        canonicalize_name(requirement.name) for requirement in wanted(PEERS)
    }
    for name, why in wants.items():
        assert {canonicalize_name(each) for each in why - {listed}} <= held, name
        assert why, name


def test_every_lock_file_has_its_recipe() -> None:
    """`just lock` writes all of them, and no other."""
    script = (ROOT / "scripts" / "lock").read_text(encoding="utf-8")
    assert re.findall(r"^lock (\S+)", script, re.MULTILINE) == LOCKS


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_has_hashes_and_no_address(lock: str) -> None:
    """Each pin has a SHA-256; no line names a host, an index, a URL or a path of anyone's machine."""
    for pin in pins(lock):
        assert pin.requirement.url is None
        assert pin.hashes
        assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", each) for each in pin.hashes), pin.name
    text = (ROOT / lock).read_text(encoding="utf-8")
    for line in text.splitlines():
        assert not re.search(r"://|@ |^-|--(?!hash=)|index|find-links|(^|\s)/", line), line


def test_developing_includes_running() -> None:
    """The tests run with exactly the versions that `just up` runs with."""
    running, developing = ({(pin.name, pin.version) for pin in pins(lock)} for lock in INSTALLED[:2])
    assert running <= developing


def test_no_file_pins_a_registry() -> None:
    """uv.lock and pylock.toml hold the registry's hosts: they are not committed."""
    ignored = (ROOT / ".gitignore").read_text(encoding="utf-8").split()
    assert {"uv.lock", "pylock*.toml"} <= set(ignored)
    assert Path(ROOT / "requirements.txt").is_file()
