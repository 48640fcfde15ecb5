"""The splitter against the standard library."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qoder_async._wire.splitter import SplitError, split_array, split_object

any_text = st.text(st.characters(codec="utf-8") | st.sampled_from('"\\[]{},:\n\x00\ud800'), max_size=6)
any_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | any_text,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(any_text, inner, max_size=4),
    max_leaves=12,
)
blanks = st.sampled_from(["", " ", "\n", "\t \r\n"])


def dump(value, blank):
    """Write JSON with blanks wherever they may stand; lone surrogates and NaN as Python writes them."""
    if isinstance(value, list):
        parts, marks = [dump(element, blank) for element in value], "[]"
    elif isinstance(value, dict):
        parts = [f"{json.dumps(key)}{blank}:{blank}{dump(part, blank)}" for key, part in value.items()]
        marks = "{}"
    else:
        return json.dumps(value)
    return f"{blank}{marks[0]}{blank}{f'{blank},{blank}'.join(parts)}{blank}{marks[1]}{blank}"


@given(st.lists(any_json), blanks)
def test_arrays(values, blank):
    pieces = split_array(dump(values, blank).encode())

    assert len(pieces) == len(values)
    assert [repr(json.loads(piece)) for piece in pieces] == [repr(value) for value in values]
    assert [piece.strip() for piece in pieces] == pieces


@given(st.dictionaries(any_text, any_json), blanks)
def test_objects(members, blank):
    pieces = list(split_object(dump(members, blank).encode()))

    assert repr({json.loads(key): json.loads(value) for key, value in pieces}) == repr(members)


@given(st.lists(any_json), st.data())
def test_cut_arrays_are_refused(values, data):
    body = dump(values, "").encode()
    with pytest.raises(SplitError):
        split_array(body[: data.draw(st.integers(0, len(body) - 1))])


@given(st.dictionaries(any_text, any_json), st.data())
def test_cut_objects_are_refused(members, data):
    body = dump(members, "").encode()
    with pytest.raises(SplitError):
        list(split_object(body[: data.draw(st.integers(0, len(body) - 1))]))


@given(st.text('[]{}",:\\1 an', max_size=12) | st.binary(max_size=8).map(lambda b: b.decode("latin-1")))
def test_whatever_the_standard_library_reads_the_splitter_cuts_the_same(text):
    body = text.encode()
    for split in (split_array, lambda body: [value for _, value in split_object(body)]):
        try:
            pieces = split(body)
        except SplitError:
            pieces = None
        try:
            value = json.loads(text, strict=False)
        except ValueError:
            continue
        if isinstance(value, list) and split is split_array:
            assert [json.loads(piece, strict=False) for piece in pieces] == value
        elif pieces is not None:
            assert isinstance(value, dict)
            assert len(pieces) >= len(value)


@pytest.mark.parametrize(("opened", "closed"), [(b"[", b"]"), (b'{"a":', b"}")])
def test_no_nesting_is_too_deep(opened, closed):
    deep = opened * 100_000 + b"1" + closed * 100_000
    assert split_array(b"[1," + deep + b",2]") == [b"1", deep, b"2"]
    assert list(split_object(b'{"x":' + deep + b',"y":2}')) == [(b'"x"', deep), (b'"y"', b"2")]


def test_odd_strings():
    for odd in [rb'"\ud800"', b'"\x01\n"', b'"\xff"', rb'"\\"', rb'"\"]}"', rb'"\xyz"']:
        assert split_array(b"[" + odd + b",{" + odd + b":" + odd + b"}]") == [
            odd,
            b"{" + odd + b":" + odd + b"}",
        ]


def test_members_before_a_fault_are_given():
    members = split_object(b'{"id":"x","a":truth}')
    assert next(members) == (b'"id"', b'"x"')
    with pytest.raises(SplitError):
        list(members)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[",
        b"]",
        b"[1",
        b"[1,",
        b"[1,]",
        b"[,]",
        b"[1 2]",
        b"[1]]",
        b"[1]x",
        b"[[}]",
        b'["]',
        b"{}",
        b"[tru]",
        b"[01]",
    ],
)
def test_no_arrays(body):
    with pytest.raises(SplitError):
        split_array(body)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"}",
        b'{"a"',
        b'{"a":',
        b'{"a":}',
        b'{"a":1',
        b'{"a":1,}',
        b'{"a":1,,}',
        b"{a:1}",
        b"{1:1}",
        b"{}{}",
        b"[]",
    ],
)
def test_no_objects(body):
    with pytest.raises(SplitError):
        list(split_object(body))
