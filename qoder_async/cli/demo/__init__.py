"""``qoder-async demo``: what the library does, shown on a simulated service."""

from qoder_async.cli.demo.play import run_demo

__all__ = ["run_demo"]
