"""What a page is, and what it is not."""

import pytest
from decode_samples import decode_page, load, page_of, said, to_bytes

from qoder_async._wire.decode import (
    NotJSONError,
    WrongShapeError,
    decode_json,
    decode_record,
    split_page,
)
from qoder_async.models import DeploymentRun, Session

RAW = to_bytes(load("run_current_manual"))

NOT_JSON = [
    b"",
    b" \r\n",
    b"<html><body>502 Bad Gateway</body></html>",
    b"upstream connect error",
    b"\x1f\x8b\x08\x00",
    b"\xff\xfe{\x00}\x00",
    b"nul",
    b'{"data":[',
    b'{"data":[]',
    b'{"data":[]}{"data":[]}',
    b'{"data":[],}',
    b'{"data":[1,]}',
    b'{"data":[],"has_more":tru}',
    b'{"data" []}',
    b"{data:[]}",
    b'{"data":[{"id":"x"]}}',
    b'{"data":[{"id":"x]}',
]
WRONG_SHAPE = {
    b"null": "body: expected object, got null",
    b"[]": "body: expected object, got array",
    b'"text"': "body: expected object, got str",
    b"12": "body: expected object, got int",
    b"1.5": "body: expected object, got float",
    b"true": "body: expected object, got bool",
    b"{}": "data: missing",
    b'{"data":null}': "data: expected array, got null",
    b'{"data":{}}': "data: expected array, got object",
    b'{"data":"x"}': "data: expected array, got str",
    b'{"data":1}': "data: expected array, got int",
    b'{"data":1.0}': "data: expected array, got float",
    b'{"data":false}': "data: expected array, got bool",
    b'{"data":[],"has_more":"yes"}': "has_more: expected bool, got str",
    b'{"data":[],"has_more":1}': "has_more: expected bool, got int",
    b'{"data":[],"next_page":7}': "next_page: expected str, got int",
    b'{"data":[],"next_page":{}}': "next_page: expected str, got object",
    b'{"data":[],"first_id":7}': "first_id: expected str, got int",
    b'{"data":[],"last_id":[]}': "last_id: expected str, got array",
    rb'{"data":[],"next_page":"\ud800"}': "next_page: lone surrogate",
}


@pytest.mark.parametrize("read", [lambda body: decode_page(body, DeploymentRun), split_page])
class TestPages:
    @pytest.mark.parametrize("body", NOT_JSON)
    def test_not_json(self, read, body):
        with pytest.raises(NotJSONError) as caught:
            read(body)
        assert caught.value.__context__ is None
        assert len(str(caught.value)) < 100

    @pytest.mark.parametrize(("body", "problem"), WRONG_SHAPE.items())
    def test_wrong_shape(self, read, body, problem):
        with pytest.raises(WrongShapeError) as caught:
            read(body)
        assert caught.value.problems == (problem,)
        assert caught.value.__context__ is None

    def test_every_cut_page_is_not_json(self, read):
        body = page_of(RAW, RAW, has_more=True, next_page="drun_1")
        for length in range(len(body)):
            with pytest.raises(NotJSONError):
                read(body[:length])

    def test_all_problems_are_listed(self, read):
        with pytest.raises(WrongShapeError) as caught:
            read(b'{"data":0,"has_more":0,"next_page":0}')
        assert len(caught.value.problems) == 3

    @pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
    def test_a_byte_order_mark_and_blanks_are_tolerated(self, read, mark):
        assert len(read(mark + b" \r\n" + page_of(RAW) + b"\n").records) == 1

    def test_absent_null_and_empty(self, read):
        page = read(b'{"data":[]}')
        assert page.records == []
        assert said(page) == (None, None, None, None)
        page = read(b'{"data":[],"first_id":null,"last_id":null,"has_more":null,"next_page":null}')
        assert said(page) == (None, None, None, None)
        page = read(b'{"data":[],"first_id":"","last_id":"","has_more":null,"next_page":""}')
        assert said(page) == (None, "", "", "")

    def test_unknown_keys_are_ignored_whatever_they_hold(self, read):
        assert len(read(rb'{"\ud800":1,"data":[' + RAW + b"]}").records) == 1
        for odd in [b"1", b'{"data":1}', b"NaN", rb'"\ud800"', b'"\x01"', b"[" * 9000 + b"]" * 9000]:
            page = read(b'{"odd":' + odd + b',"data":[' + RAW + b'],"has_more":true}')
            assert len(page.records) == 1
            assert page.envelope.has_more is True

    def test_a_key_that_comes_twice_counts_as_it_came_last(self, read):
        for odd in [b"1", b"NaN"]:  # NaN takes the slow way
            page = read(b'{"data":[],"odd":' + odd + b',"data":[' + RAW + b'],"next_page":"a","next_page":"b"}')
            assert len(page.records) == 1
            assert page.envelope.next_page == "b"

    def test_escaped_keys(self, read):
        for odd in [b"1", b"NaN"]:
            assert len(read(rb'{"d\u0061ta":[' + RAW + b'],"odd":' + odd + b"}").records) == 1

    def test_the_bytes_of_a_record_are_a_copy_and_exact(self, read):
        spaced = b'{ "id" : "x"\n,"new":1.10 }'
        page = read(page_of(RAW, spaced))
        assert [type(record.raw) for record in page.records] == [bytes, bytes]
        assert [record.raw for record in page.records] == [RAW, spaced]


def test_ids_of_split_pages():
    raws = [RAW, b'{"id":""}', b'{"id":5}', b'{"no":1}', b"3", b'{"a":{"id":"inner"},"id":"outer"}']
    assert [record.id for record in split_page(page_of(*raws)).records] == [
        "drun_01990000000000000000000000000091",
        None,
        None,
        None,
        None,
        "outer",
    ]


@pytest.mark.parametrize("body", NOT_JSON[:7])
def test_single_records_that_are_not_json(body):
    with pytest.raises(NotJSONError):
        decode_record(body, DeploymentRun)


def test_every_cut_record_is_not_json():
    for length in range(len(RAW)):
        with pytest.raises(NotJSONError):
            decode_record(RAW[:length], DeploymentRun)


def test_single_records_keep_their_bytes():
    run = decode_record(b"\xef\xbb\xbf " + RAW + b"\r\n", DeploymentRun)
    assert run.raw == RAW


def test_the_answer_to_a_cancellation_is_a_session():
    session = decode_record(to_bytes(load("session_cancel_ack")), Session)
    assert session.status == "canceling"
    assert session.created_at is None


def test_any_json():
    assert decode_json(b' {"a":[1,2.5,null,"x"]} ') == {"a": [1, 2.5, None, "x"]}
    assert decode_json(b"\xef\xbb\xbf[]") == []
    assert decode_json(rb'"\ud800"') == "\ud800"
    assert decode_json(b'"\x01"') == "\x01"
    for body, reason in {
        b"": "empty",
        b" ": "empty",
        b"<html>": "Expecting value",
        b'{"a":': "Expecting value",
        b"[" * 100_000: "nested too deeply",
        b'"\xff"': "invalid start byte",
        b"1" * 5000: "number out of range",
    }.items():
        with pytest.raises(NotJSONError, match=f"^{reason}$"):
            decode_json(body)
