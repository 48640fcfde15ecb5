"""The benchmarks run, each in a tiny form, and their figures add up."""

import importlib
import json
from statistics import median

import pytest


@pytest.fixture
def run(load, capsys):
    """Run the command line in this process (what it measures, it starts in others), and give what it printed."""
    command = load("__main__")

    def run(*arguments):
        command.main(arguments)
        return capsys.readouterr().out

    return run


@pytest.fixture
def figures(run):
    return lambda *arguments: json.loads(run(*arguments, "--json"))


def _by_name(found):
    named = {one["name"]: one for one in found["contenders"]}
    assert found["noise"]["times"] == sum(len(one.get("values", [0])) for one in named.values())
    assert found["noise"]["milliseconds"] > 0
    for one in named.values():
        if "values" in one:
            assert one["min"] <= one["median"] <= one["max"]
            assert one["median"] == median(one["values"])
            assert one["spread"] == pytest.approx((one["max"] - one["min"]) / one["median"])
            assert one["idle_spread"] >= 0
    return named


def test_a_short_walk_is_measured(figures):
    names = "ours,bare,bare-json,structs,raw"
    sizes = ["--runs=250", "--page-size=100", "--repeat=1"]
    (walk,) = figures("walk", *sizes, f"--contenders={names}")["walks"]

    named = _by_name(walk)
    assert {name: one["runs"] for name, one in named.items()} == dict.fromkeys(names.split(","), 250)
    for one in named.values():
        assert one["ratios"] == {name: one["median"] / named[name]["median"] for name in ("bare", "raw")}


def test_each_page_size_is_walked_in_every_round(figures):
    sizes = ["--runs=40", "--page-size=10,20", "--shape=lean", "--repeat=2"]
    walks = figures("walk", *sizes, "--contenders=structs,raw")["walks"]

    assert [(walk["shape"], walk["page_size"]) for walk in walks] == [("lean", 10), ("lean", 20)]
    for walk in walks:
        assert {name: len(one["values"]) for name, one in _by_name(walk).items()} == {"structs": 2, "raw": 2}


def test_a_walk_of_compressed_pages_is_measured(figures):
    sizes = ["--runs=120", "--page-size=100", "--repeat=1", "--shape=lean"]
    (walk,) = figures("walk", *sizes, "--compression=gzip", "--contenders=ours,raw")["walks"]

    assert walk["compression"] == "gzip"
    assert {name: one["runs"] for name, one in _by_name(walk).items()} == {"ours": 120, "raw": 120}


def test_a_few_runs_are_read_one_after_the_other(figures):
    measured = figures("read", "--calls=60", "--repeat=1", "--contenders=ours,bare,raw")

    named = _by_name(measured["shapes"][0])
    assert {name: one["calls"] for name, one in named.items()} == {"ours": 60, "bare": 60, "raw": 60}
    bare = named["bare"]["median"]
    for one in named.values():
        assert one["over_bare"] == one["median"] - bare
        assert one["ratios"]["bare"] == one["median"] / bare
        assert one["ratios"]["raw"] == named["raw"]["median"] / one["median"]


def test_many_runs_are_read_at_once(figures):
    measured = figures("reads", "--calls=130", "--repeat=1", "--contenders=ours,bare,raw")

    named = _by_name(measured["shapes"][0])
    assert {name: one["calls"] for name, one in named.items()} == {"ours": 130, "bare": 130, "raw": 130}


def test_a_page_is_decoded(figures):
    sizes = ["--runs=20", "--pages=2", "--repeat=1", "--shape=lean"]
    (found,) = figures("decode", *sizes, "--contenders=ours,structs")["shapes"]

    named = _by_name(found)
    assert {name: one["pages"] for name, one in named.items()} == {"ours": 2, "structs": 2}
    assert named["ours"]["ratios"] == {"structs": named["ours"]["median"] / named["structs"]["median"]}


def test_how_late_the_loop_is_is_measured(figures):
    sizes = ["--runs=2000", "--page-size=200", "--repeat=2", "--idle=0.03"]
    measured = figures("stall", *sizes, "--contenders=ours")

    (one,) = measured["shapes"][0]["contenders"]
    assert (one["name"], one["runs"]) == ("ours", 2000)
    for kind in ("late", "own", "resting"):
        assert 0 <= one[kind]["p50"] <= one[kind]["p99"] <= one[kind]["max"]
    assert one["own"]["max"] <= one["late"]["max"]
    assert len(one["longest_passes"]) == measured["rounds"] == 2
    assert min(one["longest_passes"]) > 0
    assert one["longest_pass"] == median(one["longest_passes"])


def test_what_a_walk_takes_in_memory_is_measured(figures):
    sizes = ["--runs=4000", "--page-size=100", "--repeat=1"]
    measured = figures("memory", *sizes, "--contenders=ours,bare")

    named = _by_name(measured["shapes"][0])
    assert {name: one["runs"] for name, one in named.items()} == {"ours": 4000, "bare": 4000}
    for one in named.values():
        assert one["growth"] == one["for_whole"] == max(one["quarters"]) - one["before"] < 64 << 20
        assert min(one["quarters"]) > 1 << 20
        assert not one["is_extrapolated"]


def test_imports_are_timed(figures):
    measured = figures("import", "--repeat=1", "--contenders=ours,ours-beyond")

    named = {one["name"]: one["median"] for one in measured["imports"]}
    assert 0 < named["import qoder_async, beyond aiohttp"] < named["import qoder_async"]


def test_several_cases_are_run_in_one_go(run, monkeypatch):
    case, command = importlib.import_module("benchmarks.case"), importlib.import_module("benchmarks.__main__")
    document = importlib.import_module("benchmarks.document")

    def made_up(name):
        return case.Case(
            name=name,
            about="",
            add_options=lambda parser: parser.add_argument("--size", type=int, default=100),
            summary=lambda options, shown: {"size": options.size, "command": shown},
            document=lambda summary: document.Document(
                title=name,
                tables=[document.Table(title="", rows=[["", "size"], [name, str(summary["size"])]])],
                environment="here",
                command=summary["command"],
            ),
            short=["--size=1"],
        )

    monkeypatch.setattr(command, "CASES", {name: made_up(name) for name in ("one", "two", "three")})

    assert json.loads(run("all", "--json", "--only=one,three")) == {
        "one": {"size": 1, "command": "python -m benchmarks one --size=1"},
        "three": {"size": 1, "command": "python -m benchmarks three --size=1"},
    }
    whole = run("all", "--markdown", "--full").splitlines()
    assert [line for line in whole if line.endswith("00 |")] == ["| one | 100 |", "| two | 100 |", "| three | 100 |"]
    assert "By `python -m benchmarks two`: here." in whole


def test_an_unknown_contender_is_named(run):
    with pytest.raises(SystemExit, match="no such contender: fast"):
        run("walk", "--contenders=bare,fast")


def test_the_cases_are_listed(run, capsys):
    with pytest.raises(SystemExit):
        run("--help")

    listed = capsys.readouterr().out
    for name in ("walk", "read", "reads", "decode", "stall", "memory", "import", "waiting", "many", "export", "all"):
        assert f"  {name} " in listed


def test_every_short_form_is_understood(run):
    command = importlib.import_module("benchmarks.__main__")

    for case in command.CASES.values():
        options = command._parser(case).parse_args(case.short)
        assert case.short
        assert not options.json
