"""The same with what Python brings along: aiohttp and json."""

from __future__ import annotations

import json
from functools import partial

from .bare import open_with

open_client = partial(open_with, json.loads)
