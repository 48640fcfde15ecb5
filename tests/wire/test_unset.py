"""The value that is none."""

from __future__ import annotations

import copy
import pickle

from qoder_async import UNSET


def test_there_is_one_and_it_is_false():
    assert not UNSET
    assert UNSET is not None
    assert repr(UNSET) == "UNSET"
    assert pickle.loads(pickle.dumps(UNSET)) is copy.deepcopy(UNSET) is UNSET
