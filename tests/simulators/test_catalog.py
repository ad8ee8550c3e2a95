"""What is built in is what the installed package names, so that `cultureops simulate` finds it."""

from importlib.metadata import entry_points

from cultureops_simulators.catalog import BUILT_IN, ENTRY_POINT_GROUP


def test_every_simulator_is_an_entry_point() -> None:
    found = {entry.name: entry.value for entry in entry_points(group=ENTRY_POINT_GROUP)}
    assert {name: f"cultureops_simulators.{name}:build" for name in BUILT_IN}.items() <= found.items()
