"""The log: no value of a variable ever stands in it."""

import logging

import pytest
import structlog

from cultureops.logs import log_to_stderr


def test_a_traceback_shows_no_password(capsys: pytest.CaptureFixture[str]) -> None:
    before = structlog.get_config()
    log_to_stderr(logging.ERROR)
    try:
        password = "a quiet " + "morning"
        try:
            raise ValueError(f"{len(password)} characters did not fit")
        except ValueError:
            structlog.get_logger().exception("met what it was not made for")
    finally:
        structlog.configure(**before)
    out, err = capsys.readouterr()
    assert "15 characters did not fit" in err and "Traceback" in err
    assert "quiet morning" not in err and "locals" not in err and not out
