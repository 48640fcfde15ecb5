"""The server of the benchmarks: what it answers, and to whom."""

import gzip
import json

import pytest

GZIP = "Accept-Encoding: deflate, gzip\r\n"


def _ask(shelf, path, headers=""):
    """Ask for something below the base path, and give the head and the body of the answer."""
    answer = shelf.answer(f"GET /api/v1/cloud/{path} HTTP/1.1\r\n{headers}Host: x".encode())
    head, _, body = answer.partition(b"\r\n\r\n")
    assert f"Content-Length: {len(body)}".encode() in head
    return head, body


def _page(shelf, path, headers=""):
    head, body = _ask(shelf, path, headers)
    assert head.startswith(b"HTTP/1.1 200 OK")
    return json.loads(body)


def test_a_prepared_history_is_found_by_both_paths(load):
    shelf = load("server").Shelf(load("server").Stock(shape="lean", page_size=2, walks=[3]))

    first = _page(shelf, "deployments/dep_bench_3/runs?limit=2")
    second = _page(shelf, f"deployments/dep_bench_3/runs?limit=2&after_id={first['next_page']}")

    assert [len(first["data"]), len(second["data"]), second["next_page"]] == [2, 1, None]
    assert _page(shelf, "v1/deployment_runs?beta=true&deployment_id=dep_bench_3&limit=2") == first
    assert _page(shelf, f"v1/deployment_runs?deployment_id=dep_bench_3&limit=2&page={first['next_page']}") == second


def test_another_limit_or_another_page_is_refused(load):
    shelf = load("server").Shelf(load("server").Stock(shape="lean", page_size=2, walks=[3]))

    assert _ask(shelf, "deployments/dep_bench_3/runs?limit=3")[0].startswith(b"HTTP/1.1 400")
    assert _ask(shelf, "deployments/dep_bench_4/runs?limit=2")[0].startswith(b"HTTP/1.1 404")


def test_compressed_pages_go_only_to_those_who_ask_for_them(load):
    stock = load("server").Stock(shape="extended", page_size=2, walks=[2], gzip=True)
    shelf, path = load("server").Shelf(stock), "deployments/dep_bench_2/runs?limit=2"

    head, body = _ask(shelf, path, GZIP)
    assert b"Content-Encoding: gzip" in head
    assert len(json.loads(gzip.decompress(body))["data"]) == 2
    assert _ask(shelf, path)[0].startswith(b"HTTP/1.1 406")
    assert _ask(shelf, path, "Accept-Encoding: identity\r\n")[0].startswith(b"HTTP/1.1 406")


@pytest.mark.parametrize("shape", ["extended", "lean"])
def test_an_endless_history_has_every_id_once_and_ends(load, shape):
    shelf = load("server").Shelf(load("server").Stock(shape=shape, page_size=5, endless=[300]))
    path = "deployments/dep_endless_300/runs?limit=5"

    pages = [_page(shelf, path)]
    while cursor := pages[-1]["next_page"]:
        assert pages[-1]["has_more"]
        pages.append(_page(shelf, f"{path}&page={cursor}"))

    runs = [run for page in pages for run in page["data"]]
    assert [len(pages), pages[-1]["has_more"], len(runs)] == [60, False, 300]
    assert len({run["id"] for run in runs}) == len({run["session_id"] for run in runs}) == 300
    assert {run["deployment_id"] for run in runs} == {"dep_endless_300"}
    for page in pages:
        assert [page["first_id"], page["last_id"]] == [page["data"][0]["id"], page["data"][-1]["id"]]


def test_a_run_is_read_by_both_paths(load):
    data = load("data")
    shelf = load("server").Shelf(load("server").Stock(shape="extended", reads=3))

    run = _page(shelf, f"deployments/{data.READS}/runs/{data.run_id(2)}")
    assert run["id"] == data.run_id(2)
    assert _page(shelf, f"v1/deployment_runs/{data.run_id(2)}?beta=true") == run
    assert _ask(shelf, f"deployments/{data.READS}/runs/{data.run_id(3)}")[0].startswith(b"HTTP/1.1 4")
