"""The table of the benchmark, the arithmetic of its ceilings, and when it fails; none of this measures a speed."""

import json
import math
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from benchmarks import __main__ as program
from benchmarks import ceiling, table
from benchmarks.row import Row

GOOD, MISSED = Row("× a peer", 3.0, "≥", 2, ceiling=4.5), Row("a | b", 21.0, "≤", 20, " s")
FREE, FAILED = Row("size", 6.25, "≤", None, " GB"), Row("setup", math.inf, "≤", None, " s")
ROWS = [GOOD, MISSED, FREE, FAILED]


def test_a_row_fits_on_the_right_side_of_its_limit_or_where_it_has_none():
    assert [row.fits for row in ROWS] == [True, False, True, False]
    assert Row("", 2.0, "≥", 2).fits
    assert Row("", 2.0, "≤", 2).fits
    assert not Row("", 1.9, "≥", 2).fits
    assert not any(Row("", math.nan, sign, limit).fits for sign in "≤≥" for limit in (1, None))


def test_a_line_says_what_is_missed():
    assert str(GOOD).endswith("3.00 (≥ 2; ceiling 4.5)")
    assert str(MISSED).endswith("21.00 s (≤ 20 s)   MISSED")
    assert str(FREE).endswith("6.25 GB (no limit)")


def test_the_table_in_markdown():
    assert table.markdown(ROWS, {"torch": "1.2", "cores": 2}) == (
        "# Measured by `make bench`\n\n- torch: 1.2\n- cores: 2\n\n"
        "| what | measured | limit | ceiling | fits |\n|---|---:|---:|---:|---|\n"
        "| × a peer | 3 | ≥ 2 | 4.5 | yes |\n"
        "| a \\| b | 21 s | ≤ 20 s |  | NO |\n"
        "| size | 6.25 GB |  |  | yes |\n"
        "| setup | inf s |  |  | NO |\n"
    )


def test_the_table_in_json_is_strict():
    rows = [Row(GOOD.what, np.float64(3), "≥", 2, ceiling=4.5), *ROWS[1:]]  # percentiles are NumPy's numbers
    read = json.loads(table.as_json(rows, {"cores": 2}), parse_constant=pytest.fail)
    assert read["about"] == {"cores": 2}
    first = {"what": "× a peer", "measured": 3.0, "sign": "≥", "limit": 2.0, "ceiling": 4.5, "unit": "", "fits": True}
    assert read["rows"][0] == first
    assert [row["measured"] for row in read["rows"]] == [3.0, 21.0, 6.25, None]
    assert [row["fits"] for row in read["rows"]] == [True, False, True, False]


def test_a_table_says_versions_and_machine():
    about = table.facts()
    assert about["torch"] == torch.__version__
    assert about["python"] == ".".join(map(str, sys.version_info[:3]))
    assert about["threads"] == torch.get_num_threads()
    assert about["processor"]
    assert json.loads(table.as_json([], about))["about"] == about


def test_flops_are_those_of_the_formulas():
    product = ceiling.counted(lambda: torch.ones(3, 5) @ torch.ones(5, 7))
    assert product[0].shape == (3, 7)
    assert product[1] == 2 * 3 * 5 * 7
    conv, images = nn.Conv2d(3, 4, 3, padding=1).requires_grad_(False), torch.ones(2, 3, 8, 6)
    once = 2 * (2 * 4 * 8 * 6) * (3 * 3 * 3)
    assert ceiling.counted(lambda: conv(images))[1] == once
    with torch.inference_mode():
        assert ceiling.counted(lambda: conv(images))[1] == once

    def gradient():
        leaf = images.clone().requires_grad_()
        return torch.autograd.grad(conv(leaf).sum(), leaf)

    assert ceiling.counted(gradient)[1] == 2 * once  # forward, and backward to the picture alone
    assert ceiling.counted(lambda: torch.ones(3).exp())[1] == 0


@pytest.fixture
def hundred(monkeypatch):
    """A processor of 100 FLOP/s in float32, 400 in bfloat16."""
    monkeypatch.setattr(
        ceiling, "product_rate", lambda threads, dtype=torch.float32: 400 if dtype == torch.bfloat16 else 100
    )


@pytest.mark.usefixtures("hundred")
def test_a_ceiling_is_flops_over_the_rate():
    assert ceiling.least_seconds(250) == 2.5
    assert ceiling.least_seconds(200, torch.bfloat16) == 0.5
    assert ceiling.most_times(25) == 4  # times a second
    assert ceiling.most_times(250, 10.0) == 4  # a peer takes 10 s
    assert ceiling.most_times(200, 3.0, torch.bfloat16) == 6
    assert ceiling.least_seconds(0) is None
    assert ceiling.most_times(0, 1.0) is None


@pytest.mark.parametrize(("measured", "fits"), [(8.4, False), (8.6, True)])
def test_beyond_a_goal_85_percent_of_the_ceiling_are_asked(measured, fits):
    row = ceiling.near_the_ceiling("x", measured, 10.0)
    assert row == Row("x", measured, "≥", 8.5, ceiling=10.0)
    assert row.fits == fits


def test_the_rate_of_products_leaves_the_threads_alone(monkeypatch):
    monkeypatch.setattr(ceiling, "SIDE", 64)
    ticks = iter([0.0, 2.0, 2.0, 3.0])  # two products of 2 and 1 s
    monkeypatch.setattr(ceiling, "REPEATS", 2)
    monkeypatch.setattr(ceiling, "time", SimpleNamespace(perf_counter=lambda: next(ticks)))
    before = torch.get_num_threads()
    assert ceiling.product_rate.__wrapped__(1) == 2 * 64**3
    assert torch.get_num_threads() == before


@pytest.fixture
def run(monkeypatch, tmp_path):
    """Runs the program on one part that measures nothing; its table is written to a folder of the test."""

    def run(rows: list[Row], *arguments: str) -> int:
        monkeypatch.setitem(sys.modules, "benchmarks.fake", SimpleNamespace(rows=lambda few=False: rows[: 1 + few]))
        return program.main(arguments)

    monkeypatch.setattr(program, "PARTS", ("fake",))
    monkeypatch.setattr(program, "QUICK", {"fake": {"few": True}})
    monkeypatch.setattr(program, "FOLDER", tmp_path)
    return run


@pytest.mark.parametrize(("row", "status"), [(GOOD, 0), (MISSED, 1), (FREE, 0), (FAILED, 1)])
@pytest.mark.parametrize("arguments", [[], ["fake"], ["--quick"]])
def test_it_fails_where_a_row_is_missed_and_writes_whole_tables_only(run, tmp_path, row, status, arguments):
    assert run([row], *arguments) == status
    written = {path.name for path in tmp_path.iterdir()}
    assert written == (set() if arguments else {"results.md", "results.json"})
    if not arguments:
        assert json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))["rows"][0]["what"] == row.what


def test_quick_hands_each_part_its_options(run, capsys):
    assert run([GOOD, MISSED], "--quick") == 1
    assert run([GOOD, MISSED], "fake") == 0
    assert capsys.readouterr().out.count(MISSED.what) == 1


def test_unknown_parts_are_refused(run):
    for arguments in (["other"], ["fake", "--quick"]):
        with pytest.raises(SystemExit) as raised:
            run([GOOD], *arguments)
        assert raised.value.code == 2


def test_the_quick_parts_are_parts():
    assert program.QUICK.keys() < set(program.PARTS)
