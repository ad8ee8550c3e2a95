import pytest
from hypothesis import given
from hypothesis import strategies as st

from cultureops.errors import ConfigError
from cultureops.mqtt.topics import LONGEST_BYTES, Topics, check_topic, slug

TOPICS = Topics("plant/lab-1")


def test_each_thing_has_its_topic() -> None:
    assert TOPICS.status == "plant/lab-1/status"
    assert TOPICS.channel("incubator_1/co2") == "plant/lab-1/channel/incubator_1/co2"
    assert TOPICS.channel("batch:B-2026-001/confluence") == "plant/lab-1/batch/B-2026-001/confluence"
    assert TOPICS.alarm("incubator_1/co2/low") == "plant/lab-1/alarm/incubator_1/co2/low"


@pytest.mark.parametrize(
    ("topic", "said"),
    [
        ("a/+/b", "wildcard"),
        ("a/#", "wildcard"),
        ("a/b\0c", "control character"),
        ("a/b\n", "control character"),
        ("a/\ud800", "control character"),
        ("$SYS/a", "begins with"),
        ("a//b", "empty"),
        ("/a", "empty"),
        ("a/", "empty"),
        ("", "empty"),
        ("a/" * 40 + "a", "levels"),
        ("ü" * LONGEST_BYTES, "bytes"),
    ],
)
def test_what_the_protocol_forbids_is_refused(topic: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said) as caught:
        check_topic(topic)
    assert "\n" not in str(caught.value)


def test_a_channel_or_rule_with_a_wildcard_is_refused() -> None:
    for name in ("incubator_1/co2+", "incubator_1/#", "incubator_1/c\0"):
        with pytest.raises(ConfigError):
            TOPICS.channel(name)
        with pytest.raises(ConfigError):
            TOPICS.alarm(name)


@given(st.text())
def test_a_slug_can_always_be_a_topic(name: str) -> None:
    made = slug(name)
    assert made == slug(made)
    if made:
        assert check_topic(f"cultureops/{made}").isascii()


def test_a_slug_keeps_what_can_be_read() -> None:
    assert slug("Zelltherapie, 2. Geschoß – Süd") == "zelltherapie-2-gescho-sud"
    assert slug("細胞") == ""
