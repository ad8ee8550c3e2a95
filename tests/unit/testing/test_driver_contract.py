"""A driver's tests are run, or said to be incomplete; they never vanish."""

import inspect

import pytest

from cultureops.device import Driver
from cultureops.testing import DriverContract, Instrument


def test_a_test_class_that_leaves_a_method_out_is_refused() -> None:
    with pytest.raises(TypeError, match="TestHalf must say what to test on: instrument missing"):

        class TestHalf(DriverContract):
            def driver(self, address: str) -> Driver:
                raise AssertionError(address)

    with pytest.raises(TypeError, match="instrument and driver missing"):
        type("TestNothing", (DriverContract,), {})


def test_a_base_for_several_test_classes_may_leave_one_to_them() -> None:
    class Half(DriverContract):
        def driver(self, address: str) -> Driver:
            raise AssertionError(address)

    class Whole(Half):
        def instrument(self, folder: object) -> Instrument:
            raise AssertionError(folder)

    assert inspect.isabstract(DriverContract) and inspect.isabstract(Half)
    assert not inspect.isabstract(Whole)
    Whole()
