"""Records that come without a page around them."""

from decode_samples import PAGES, RECORDS, to_bytes

from qoder_async._wire.decode import InvalidRecord, decode_record, decode_records
from qoder_async._wire.headers import Redacted
from qoder_async.models import DeploymentRun

RUNS = [to_bytes(payload) for _, model, payload in RECORDS if model is DeploymentRun]
BAD = b'{"id":"drun_bad","created_at":"pt-secret-token"}'


def test_records_are_decoded_as_each_by_itself():
    found = decode_records(RUNS, DeploymentRun)

    assert len(RUNS) > len(PAGES)
    assert list(found) == [decode_record(raw, DeploymentRun) for raw in RUNS]
    assert [run.raw for run in found] == RUNS


def test_nothing_makes_nothing():
    assert list(decode_records([], DeploymentRun)) == []


def test_one_that_cannot_be_decoded_stands_at_its_place():
    first, bad, last = decode_records([RUNS[0], BAD, RUNS[1]], DeploymentRun)

    assert [first, last] == [decode_record(raw, DeploymentRun) for raw in RUNS[:2]]
    assert isinstance(bad, InvalidRecord)
    assert (bad.index, bad.id, bad.raw) == (1, "drun_bad", BAD)
    assert any(problem.startswith("data[1].created_at: ") for problem in bad.problems)


def test_places_may_be_counted_from_another_number_and_the_token_is_taken_out():
    _, bad = decode_records([RUNS[0], BAD], DeploymentRun, start=40, token=Redacted("pt-secret-token"))

    assert isinstance(bad, InvalidRecord)
    assert bad.index == 41
    assert b"pt-secret-token" not in bad.raw
    assert "pt-secret-token" not in str(bad.problems)
    assert any(problem.startswith("data[41].created_at: ") for problem in bad.problems)
