"""Micrographs in files: read, judged by ``analysis.confluence``, and drawn over."""

from __future__ import annotations

from cultureops.imaging.judging import Judged, as_json, judge_file, line_of
from cultureops.imaging.overlay import overlay
from cultureops.imaging.reading import read_image

__all__ = ["Judged", "as_json", "judge_file", "line_of", "overlay", "read_image"]
