"""Many deployments are many small turns of the loop, which its debug mode makes twice as slow."""

from support.loops import _without_the_debug_mode_of_the_loop  # noqa: F401  a fixture of all tests here
