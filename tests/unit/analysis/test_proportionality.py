"""Proportionality of counting methods: COMET's own numbers, what can be worked out by hand, and what is refused."""

import csv
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cultureops.analysis.dilution_study import read_study
from cultureops.analysis.proportionality import DilutedSample, Limits, proportionality, qualify
from cultureops.errors import ConfigError

FRACTIONS = (0.1, 0.3, 0.5, 0.7, 0.9)
HEADER = (
    "counting_method,target_dilution_fraction,measured_dilution_fraction,random_sample_number,rep_obsv,cell_conc,"
    "raw_count,percent_viable_cells,time_elapsed,cell_type,concentration_type,stock_solution,starting_soln_conc,"
    "stock_extraction,replicate_sample,analyst"
)


def study(slope: float = 1e6, scatter: float = 0.0, bend: float = 0.0) -> list[DilutedSample]:
    return [
        DilutedSample(f, f, tuple(slope * f * (1 + bend * f) * (1 + scatter * k) for k in (-1, 0, 1)))
        for f in FRACTIONS
        for _ in range(3)
    ]


def test_the_examples_of_comet() -> None:
    data = os.environ.get("CULTUREOPS_ACCEPTANCE_DATA")
    if not data:
        pytest.skip("CULTUREOPS_ACCEPTANCE_DATA is not set: no dilution studies at hand")
    folder = Path(data) / "growth" / "nist_comet"
    header = ("file", "method", "n_points", "prop_const", "weighted_R2_noint", "declared", "mean_cv_pct")
    rows = [
        dict(zip(header, row, strict=True))
        for row in csv.reader((folder / "truth_propfit.csv").read_text().splitlines())
    ]
    truths = [row for row in rows if row["file"].endswith("_COMET.csv")]
    assert len(truths) >= 5
    for truth in truths:
        file = folder / truth["file"]
        found = proportionality(read_study(file.read_bytes(), file.name)[truth["method"]])
        assert found.n == int(truth["n_points"])
        assert found.slope == pytest.approx(float(truth["prop_const"]), abs=6e-4)
        assert found.r2 == pytest.approx(float(truth["weighted_R2_noint"]), abs=6e-7)
        assert found.mean_cv_pct == pytest.approx(float(truth["mean_cv_pct"]), abs=6e-4)


def test_by_hand() -> None:
    """Means 1 and 3 at 0.25 and 0.5: slope sum(n y) / sum(n x) = (1 + 2 * 3) / (0.25 + 2 * 0.5) = 5.6."""
    found = proportionality([DilutedSample(0.25, 0.25, (1.0,)), DilutedSample(0.5, 0.5, (2.0, 4.0))])
    assert found.slope == pytest.approx(5.6)
    left, whole = 4 * (1 - 1.4) ** 2 + 4 * (3 - 2.8) ** 2, 4 * 1 + 4 * 9
    assert found.r2 == pytest.approx(1 - left / whole)
    assert found.mean_cv_pct == pytest.approx(100 * 2**0.5 / 3)
    assert found.pi_absolute == pytest.approx(0.4 / 1.4 + 0.2 / 2.8)
    assert found.pi_squared == pytest.approx((0.4 / 1.4) ** 2 + (0.2 / 2.8) ** 2)


@given(st.floats(1e-3, 1e9), st.floats(0, 0.3))
def test_a_proportional_counter_is_found_to_be_one(slope: float, scatter: float) -> None:
    found = proportionality(study(slope, scatter))
    assert found.slope == pytest.approx(slope)
    assert found.r2 == pytest.approx(1)
    assert found.pi_absolute == pytest.approx(0, abs=1e-9)
    assert found.mean_cv_pct == pytest.approx(100 * scatter, abs=1e-9)


def test_a_counter_that_saturates_bends_away() -> None:
    straight, bent = proportionality(study()), proportionality(study(bend=-0.3))
    assert bent.r2 < 0.999 < straight.r2
    assert bent.pi_absolute > 0.5 > straight.pi_absolute


def test_limits_are_the_sites_own() -> None:
    samples = study(scatter=0.1, bend=-0.3)
    unlimited = qualify(samples, Limits())
    assert unlimited.qualified is None and unlimited.reasons == ("no limit set",)
    assert unlimited.found is not None
    assert qualify(samples, Limits(min_r2=unlimited.found.r2)).qualified is True
    failed = qualify(samples, Limits(min_r2=0.9999, max_cv_pct=5, max_pi_squared=0.01, max_pi_absolute=0.01))
    assert failed.qualified is False and len(failed.reasons) == 4
    once = [DilutedSample(f, f, (f,)) for f in FRACTIONS]
    assert any("counted twice" in reason for reason in qualify(once, Limits(max_cv_pct=5)).reasons)
    with pytest.raises(ValueError, match="limit min_r2 must be"):
        Limits(min_r2=float("nan"))


def test_a_small_study_qualifies_nobody() -> None:
    verdict = qualify([sample for sample in study() if sample.fraction > 0.4], Limits(min_r2=0.1))
    assert verdict.qualified is False and "3 dilution fractions" in verdict.reasons[0]
    assert verdict.found is not None


@pytest.mark.parametrize(
    ("samples", "said"),
    [
        ([], "two or more dilution fractions, not 0"),
        ([DilutedSample(0.5, 0.5, (1.0, 2.0))] * 3, "two or more dilution fractions, not 1"),
        ([DilutedSample(f, f, (0.0, 0.0)) for f in FRACTIONS], "no cell was counted"),
    ],
)
def test_what_says_nothing_is_not_fitted(samples: list[DilutedSample], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        proportionality(samples)
    verdict = qualify(samples, Limits())
    assert verdict.found is None and verdict.qualified is False


def rows(*changed: str) -> str:
    plain = [
        f"A,{f},NA,{number},{k},{1e6 * f:.0f},NA,NA,5,MSC,Total,1,1000000,{number},1,1"
        for number, f in enumerate(FRACTIONS)
        for k in (1, 2, 3)
    ]
    return "\n".join([HEADER, *plain, *changed]) + "\n"


@pytest.mark.parametrize(
    "text",
    [
        rows(),
        rows().replace(",", ";"),
        rows().replace(",", "\t"),
        "\ufeff" + rows().replace("counting_method", "Counting Method").replace("cell_conc", "CELL CONC "),
        "Counter study\n2026-05-01\n\n" + rows().replace("\n", "\r\n"),
        rows("A,0.9,NA,9,4,NA,NA,NA,5,MSC,Total,1,1000000,9,1,1", ",,,,,,,,,,,,,,,", ""),
        "\n".join(line + ",," for line in rows().splitlines()),
    ],
    ids=["comma", "semicolon", "tab", "bom-and-spelling", "title-above", "rows-without-count", "empty-columns"],
)
def test_spellings_of_one_table_are_one_study(text: str) -> None:
    assert read_study(text.encode(), "x.csv") == read_study(rows().encode(), "x.csv")


def test_a_decimal_comma_is_understood_where_it_does_not_separate() -> None:
    text = rows().replace(",", ";").replace("0.", "0,")
    assert read_study(text.encode(), "x.csv") == read_study(rows().encode(), "x.csv")
    assert read_study(rows().encode("utf-16"), "x.csv") == read_study(rows().encode(), "x.csv")


def test_samples_are_told_apart_as_in_comet() -> None:
    (by_extraction,) = read_study(rows().encode(), "x.csv").values()
    assert [len(sample.densities) for sample in by_extraction] == [3] * 5
    unnamed = "\n".join(
        ",".join([*line.split(",")[:13], "NA", *line.split(",")[14:]]) for line in rows().splitlines()[1:]
    )
    (by_number,) = read_study(f"{HEADER}\n{unnamed}\n".encode(), "x.csv").values()
    assert by_number == by_extraction


@pytest.mark.parametrize(
    ("contents", "said"),
    [
        (b"", "the file is empty"),
        (b"\x7fELF\x00\x01\xff\xfe", "binary"),
        (b"\xff\xfeA", "binary"),
        (b"PK\x03\x04\x00\x00", "binary"),
        (b"a,b\n1,2\n", "expected a header with the columns counting_method, .* found 'a,b'"),
        (HEADER.encode(), "no row has a counting_method and a cell_conc"),
        (rows().replace(",300000,", ",abc,", 1).encode(), "x.csv:5: cell_conc: 'abc' is no number"),
        (rows().replace(",300000,", ",1_000,", 1).encode(), "is no number"),
        (rows().replace(",300000,", ",inf,", 1).encode(), "is no number"),
        (rows().replace(",300000,", ",-3,", 1).encode(), "x.csv:5: replicates need"),
        (rows().replace("A,0.3", "A,30").encode(), "x.csv:5: a dilution fraction is the share of stock"),
        (rows().replace("A,0.3", "A,0").encode(), "a dilution fraction is the share of stock"),
        (rows().replace("A,0.3", "A,").encode(), "x.csv:5: target_dilution_fraction is empty"),
        (rows().replace("0.3,NA", "0.3,-0.3").encode(), "measured dilution fraction must be above 0"),
        (rows("A,0.9").encode(), "x.csv:17: 2 fields under 16 columns"),
        (rows("A,0.9,NA,9,4,1e6,NA,NA,5,MSC,Total,1,1000000,,1,1").encode(), "stock_extraction is empty"),
        (rows("A,0.9,NA,9,4,1e6,NA,NA,5,Jurkat,Total,1,1000000,9,1,1").encode(), "cell_type holds 'Jurkat', 'MSC'"),
        (rows().replace("analyst", "cell_conc").encode(), "the column cell_conc is there twice"),
    ],
)
def test_garbage_is_refused_by_line(contents: bytes, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        read_study(contents, "x.csv")


@given(st.binary(max_size=200))
def test_no_bytes_get_through_as_anything_but_a_refusal(contents: bytes) -> None:
    with pytest.raises(ConfigError):
        read_study(contents, "x.csv")
