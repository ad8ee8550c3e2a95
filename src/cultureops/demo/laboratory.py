"""Moves of quality control and assurance: samples, readings when they are due, deviations, the review, the release."""

from __future__ import annotations

from typing import Any, Final, Literal

from cultureops.batch import commands as do
from cultureops.batch.parts import QcSample
from cultureops.clock import DAY_MS, MINUTE_MS
from cultureops.demo.answers import ANSWER_WITHIN_D, measured
from cultureops.demo.people import LABORATORY, QUALIFIED_PERSON, QUALITY_ASSURANCE, REVIEWER
from cultureops.demo.work import Work

__all__ = ["Laboratory"]

METHODS: Final = {
    "endotoxin": "LAL",
    "mycoplasma": "RT-PCR",
    "sterility": "culture, 14 d",
    "identity": "flow cytometry",
}


class Laboratory:
    """One patient's tests."""

    def __init__(self, work: Work) -> None:
        self._work = work

    async def sample_passage(self, *tests: str) -> None:
        """Draw samples of the present passage."""
        for test in tests:
            await self._sample(test, f"P{self._work.passage}-{test}", "passage", None)

    async def sample_product(self, tests: dict[str, do.Route | None]) -> None:
        """Draw samples of the product; the names begin with their test."""
        for name, route in tests.items():
            await self._sample(name.partition("-")[0], name, "product", route)

    async def _sample(self, test: Any, name: str, stage: Literal["passage", "product"], route: do.Route | None) -> None:
        sample_id = self._work.sample(name)
        await self._work.do(do.SampleQc(sample_id=sample_id, test=test, method=METHODS[test], stage=stage, route=route))

    async def read_product(self, tests: dict[str, do.Route | None]) -> None:
        """Enter the results of the product's samples."""
        for name in tests:
            sample_id = self._work.sample(name)
            await self._read(next(sample for sample in self._work.batch.qc if sample.sample_id == sample_id), True)

    async def read_due(self) -> None:
        """Enter the results that the laboratory has by now; a culture is read when the recipe says, at most twice."""
        work, qc = self._work, self._work.recipe.qc
        first_d, final_d = qc.sterility_release_read.value, qc.sterility_final_read.value
        for sample in work.batch.qc:
            if sample.stage != "passage" or any(reading.final for reading in sample.readings):
                continue
            days = (work.now - sample.taken_at) / DAY_MS
            if sample.test != "sterility":
                if days >= ANSWER_WITHIN_D[sample.test]:
                    await self._read(sample, True)
            elif days >= final_d:
                await self._read(sample, True)
            elif days >= first_d and not sample.readings:
                await self._read(sample, False)

    def has_open_tests(self) -> bool:
        """Whether any sample waits for its last reading."""
        return any(not any(reading.final for reading in sample.readings) for sample in self._work.batch.qc)

    async def _read(self, sample: QcSample, final: bool) -> None:
        found = measured(sample, self._work.recipe.release, self._work.random)
        await self._work.do(
            do.RecordQcResult(sample_id=sample.sample_id, final=final, lab="house laboratory", **found), LABORATORY
        )

    async def dispose(self) -> None:
        """Investigate and close what alarms have drafted."""
        work = self._work
        for deviation in (one for one in work.batch.open_deviations if one.drafted):
            lived_through = [exposure for exposure in work.batch.exposures if exposure.id in deviation.exposures]
            minutes = sum(exposure.minutes or 0.0 for exposure in lived_through)
            excess = sum(exposure.degree_minutes or 0.0 for exposure in lived_through)
            figures = f"{minutes:.0f} min in {len(lived_through)} alarms, excess {excess:.3g} in its unit x min"
            await work.do(
                do.InvestigateDeviation(
                    deviation_id=deviation.id,
                    root_cause="supply or cable of the chamber failed; mended the same day",
                    impact=f"{figures}; growth and viability stayed as expected",
                ),
                QUALITY_ASSURANCE,
            )
            closed = do.CloseDeviation(deviation_id=deviation.id, conclusion="no impact on this batch")
            await work.do(closed, QUALITY_ASSURANCE)

    async def review(self) -> None:
        """Dispose of drafted deviations, then review the record, with what every alarm and long gap meant."""
        await self.dispose()
        work = self._work
        alarms = tuple(
            do.Assessment(subject=exposure.id, impact="short; growth and viability stayed as expected")
            for exposure in work.batch.exposures
            if exposure.wants_assessment
        )
        longest_ms = work.recipe.culture.max_gap.value * MINUTE_MS
        gaps = tuple(
            do.Assessment(subject=gap.id, impact="instrument's display and neighbours showed no excursion")
            for gap in await work.lab.gaps_seen_by(work.batch)
            if gap.end - gap.start > longest_ms
        )
        await work.do(do.Review(audit_trail_read=True, assessments=alarms + gaps), REVIEWER)

    async def release(self) -> None:
        """Decide on the release."""
        await self._work.do(do.Release(), QUALIFIED_PERSON)
