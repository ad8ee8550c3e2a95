"""The simulated instrument `astm_counter`: counting in `model`, the sender of frames in `sender`, both in `server`."""

from cultureops_simulators.astm_counter.server import AstmAnalyser, build

__all__ = ["AstmAnalyser", "build"]
