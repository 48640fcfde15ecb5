"""The tables of the benchmarks, in text and in markdown, from made-up figures."""

import json

import pytest

NOISE = {"milliseconds": 20.0, "spread": 0.05, "times": 4}
HEAD = {"command": "python -m benchmarks x", "environment": "CPython", "rounds": 2}


def _standing(name, median, **more):
    scatter = {"min": median, "max": median, "spread": 0.0, "idle_spread": 0.03, "values": [median]}
    return {"name": name, "median": median, **scatter, **more}


def test_a_document_is_laid_out_as_text(load):
    document = load("document")
    table = document.Table(title="fruit", rows=[["", "n"], ["apples", "12"], ["figs", "3"]], notes=["counted"])
    whole = document.Document(title="what there is", tables=[table], environment="here", command="count", notes=["all"])

    assert document.text(whole).splitlines() == [
        "what there is",
        "",
        "fruit",
        "",
        "         n",
        "----------",
        "apples  12",
        "figs     3",
        "counted",
        "",
        "all",
        "here",
        "by: count",
    ]


def test_a_document_is_laid_out_as_markdown(load):
    document = load("document")
    table = document.Table(title="fruit", rows=[["", "n"], ["a|b", "12"]], notes=["counted"])
    whole = document.Document(title="what there is", tables=[table], environment="here", command="count", notes=["all"])

    assert document.markdown(whole).splitlines() == [
        "What there is.",
        "",
        "Fruit.",
        "",
        "|  | n |",
        "|---|---:|",
        "| a\\|b | 12 |",
        "",
        "Counted.",
        "",
        "All.",
        "",
        "By `count`: here.",
    ]


def test_a_walk_says_how_much_of_the_server_is_used(load):
    walk, comparison = load("cases.walk"), load("comparison")
    standings = [
        _standing("ours", 300_000.0, runs=1000, cpu_us_per_run=3.0),
        _standing("structs", 600_000.0, runs=1000, cpu_us_per_run=1.0),
        _standing("raw", 1_000_000.0, runs=1000, cpu_us_per_run=0.5),
    ]
    comparison.add_ratios(standings, walk.REFERENCES)
    found = {"shape": "lean", "page_size": 100, "compression": None, "contenders": standings, "noise": NOISE}

    lines = load("document").text(walk.CASE.document({**HEAD, "walks": [found]})).splitlines()

    assert "lean runs, 100 a page" in lines
    assert lines[6].split() == ["ours", "1,000", "300,000", "-", "-", "30%", "0%", "3%", "3.00", "us/run"]
    assert "MORE THAN HALF of what the server gives to raw is used by structs (60%)" in lines
    assert any(line.startswith("the machine: 20.0 ms for a fixed piece of work, 5%") for line in lines)


def test_a_walk_without_raw_says_that_the_limit_is_not_known(load):
    walk, comparison = load("cases.walk"), load("comparison")
    standings = [
        _standing("ours", 5.0, runs=1, cpu_us_per_run=3.0),
        _standing("bare", 10.0, runs=1, cpu_us_per_run=1.0),
    ]
    comparison.add_ratios(standings, walk.REFERENCES)
    found = {"shape": "lean", "page_size": 100, "compression": "gzip", "contenders": standings, "noise": NOISE}

    shown = load("document").markdown(walk.CASE.document({**HEAD, "walks": [found]}))

    assert "| ours | 1 | 5 | 0.5 | - | - | 0% | 3% | 3.00 us/run |" in shown
    assert "Raw took no part, so nobody knows how near the server's limit this is." in shown
    assert "Lean runs, 100 a page, gzip (which raw unpacks, too)." in shown


def test_ratios_are_those_within_a_round(load):
    ours = _standing("ours", 40.0) | {"values": [20.0, 40.0, 90.0]}
    bare = _standing("bare", 10.0) | {"values": [10.0, 10.0, 30.0]}  # the third round was slow for both

    load("comparison").add_ratios([ours, bare], ("bare", "raw"))

    assert ours["ratios"] == {"bare": 3.0}
    assert bare["ratios"] == {"bare": 1.0}


def test_reads_are_shown_beside_bare(load):
    ratios = {"bare": 1.25, "raw": 0.2}
    standings = [_standing("ours", 250.0, calls=100, cpu_us_per_call=240.0, ratios=ratios, over_bare=50.0)]
    found = {"shape": "extended", "contenders": standings, "noise": NOISE}

    shown = load("document").markdown(load("cases.read").READ.document({**HEAD, "task": "read", "shapes": [found]}))

    assert "| ours | 100 | 250.0 | +50.0 us | 1.25 | 4,000 | 20% | 0% | 3% | 240.0 us |" in shown
    assert "Nobody but raw uses more than half of what the server can give: 20% at most." in shown


def test_memory_says_what_is_extrapolated(load):
    mib = 1 << 20
    ours = {"name": "ours", "runs": 1000, "before": 40 * mib, "quarters": [41 * mib] * 4, "growth": mib}
    slow = {"name": "slow", "runs": 100, "before": 60 * mib, "quarters": [61 * mib] * 4, "growth": mib}
    settled = {"growth_min": mib, "growth_max": 2 * mib}
    standings = [
        {**ours, **settled, "for_whole": mib, "is_extrapolated": False},
        {**slow, **settled, "for_whole": 12 * mib, "is_extrapolated": True},
    ]
    found = {"shape": "lean", "contenders": standings, "noise": NOISE}

    summary = {**HEAD, "runs": 1000, "page_size": 100, "shapes": [found]}
    shown = load("document").markdown(load("cases.memory").CASE.document(summary))

    assert "| ours | 1,000 | 40.0 MiB | 41.0 41.0 41.0 41.0 | 1.0 MiB | 1.0 - 2.0 | 1.0 MiB |" in shown
    assert "| 12.0 MiB * |" in shown
    assert "slow walked less; extrapolated" in shown


def test_a_stall_is_shown_beside_an_idle_loop(load):
    late, own, resting = ({"p50": 1.0, "p99": at, "max": 9.0} for at in (8.0, 7.0, 0.5))
    one = {
        "name": "ours",
        "runs": 5000,
        "late": late,
        "own": own,
        "resting": resting,
        "longest_pass": 12.0,
        "spread": 0.1,
    }
    found = {"shape": "lean", "contenders": [one], "noise": NOISE}

    shown = load("document").markdown(load("cases.stall").CASE.document({**HEAD, "page_size": 100, "shapes": [found]}))

    assert "| ours | 5,000 | 1.0 ms | 8.0 ms | 9.0 ms | 7.0 ms | 12.0 ms | 10% | 0.5 ms |" in shown
    assert "100 runs a page, 2 rounds in turn" in shown


def test_decoding_is_shown_in_microseconds_a_run(load):
    ratios = {"orjson": 3.0, "structs": 6.0}
    found = {"shape": "lean", "contenders": [_standing("ours", 4.5, pages=50, ratios=ratios)], "noise": NOISE}

    shown = load("document").markdown(load("cases.decode").CASE.document({**HEAD, "runs": 1000, "shapes": [found]}))

    assert "| ours | 50 | 4.50 | 3 | 6 | - | 0% | 3% |" in shown
    assert "Lean runs." in shown


def test_imports_are_shown_with_the_machine_beside_them(load):
    one = {"name": "import x", "median": 12.34, "min": 12.0, "max": 15.0, "spread": 0.25}

    shown = load("document").text(load("cases.imports").CASE.document({**HEAD, "imports": [one], "noise": NOISE}))

    assert "import x       12.3  12.0 - 15.0     25%" in shown.splitlines()
    assert shown.endswith("by: python -m benchmarks x")


def test_only_a_walk_of_many_pages_is_extrapolated(load):
    extrapolated = load("cases.memory")._extrapolated
    quarters = [100, 110, 120, 130]  # 20 more in the second half

    assert extrapolated(30, quarters, runs=2000, whole=10_000, page_size=100) == 30 + 20 / 1000 * 8000
    assert extrapolated(30, quarters, runs=1900, whole=10_000, page_size=100) is None
    assert extrapolated(30, quarters[::-1], runs=2000, whole=10_000, page_size=100) == 30


@pytest.mark.parametrize("shape", ["extended", "lean"])
def test_every_decoder_finds_every_run(load, shape):
    decoders = load("decoders")
    body = load("data").build_pages(shape, 3, 3)[""]
    ids = [run["id"] for run in json.loads(body)["data"]]

    found = {}
    for name, decoder in decoders.DECODERS.items():
        if not decoder.missing:
            decode = getattr(decoders, decoder.entry.removeprefix("decoders:"))()
            found[name] = [run["id"] if isinstance(run, dict) else run.id for run in decode(body)]

    assert {"ours", "structs", "orjson", "json", "cattrs", "qca-sdk"} <= set(found)
    assert found == dict.fromkeys(found, ids)


def test_two_contenders_begin_alternately_and_three_do_not(load):
    in_turn = load("harness").in_turn

    assert [one for _, one in in_turn(["a", "b"], 3)] == ["a", "b", "b", "a", "a", "b"]
    assert [one for _, one in in_turn(["a", "b", "c"], 2)] == ["a", "b", "c", "a", "b", "c"]


def test_what_is_not_installed_is_left_out_unless_it_was_asked_for(load, capsys):
    choice, contenders = load("choice"), load("contenders")
    known = {
        "here": contenders.Contender("here", "", ("json",), ""),
        "absent": contenders.Contender("absent", "", ("json", "no_such.module"), ""),
    }

    assert [one.name for one in choice.choose(None, ("here", "absent"), known)] == ["here"]
    assert "left out: absent (needs no_such.module, which is not installed)" in capsys.readouterr().err
    with pytest.raises(SystemExit, match=r"absent needs no_such\.module"):
        choice.choose("absent", ("here", "absent"), known)
