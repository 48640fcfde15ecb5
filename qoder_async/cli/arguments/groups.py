"""The groups in which a command's help shows what can be typed."""

from __future__ import annotations

from cyclopts import Group

ARGUMENTS = Group("Arguments", sort_key=1)
OPTIONS = Group("Options", sort_key=2)
LISTS = Group("How the list is walked", sort_key=3)
COMMON = Group("Common options", sort_key=4)
