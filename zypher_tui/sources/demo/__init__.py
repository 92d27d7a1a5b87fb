"""A simulated system and the sources that read it: the same facts at the same time, with no server."""

from zypher_tui.sources.demo.records import START
from zypher_tui.sources.demo.source import DemoSource
from zypher_tui.sources.demo.system import DemoSystem

__all__ = ["START", "DemoSource", "DemoSystem"]
