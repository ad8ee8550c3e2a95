"""The receiver of ASTM E1381: what is acknowledged, what is refused, and what a message comes to."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from cultureops_drivers.astm_counter.protocol import (
    Abandon,
    Action,
    Finish,
    Keep,
    Receiver,
    Refuse,
    Send,
    checksum,
)

ACK, NAK, ENQ, EOT = Send(b"\x06"), Send(b"\x15"), b"\x05", b"\x04"


def frame(number: int, text: bytes, end: bytes = b"\x03") -> bytes:
    """A frame as an instrument writes it, its sum computed here."""
    body = b"%d" % (number % 8) + text + end
    return b"\x02" + body + f"{sum(body) & 0xFF:02X}".encode() + b"\r\n"


def kept(actions: tuple[Action, ...]) -> bytes:
    return b"".join(action.text for action in actions if isinstance(action, Keep))


def test_the_sum_of_a_frame_written_by_hand() -> None:
    # '1' 0x31 + 'A' 0x41 + CR 0x0d + ETX 0x03 = 0x82; 0x31 + 0xff + 0x03 = 0x133, of which 33 remains
    assert checksum(b"1A\r\x03") == b"82"
    assert checksum(b"1\xff\x03") == b"33"
    assert Receiver().receive(b"\x05\x021A\r\x0382\r\n", 0.0) == (ACK, Keep(b"A\r"), ACK)


def test_a_printed_frame() -> None:
    """The frame that python-astm's own tests print (astm/tests/test_codecs.py), and the same with a wrong sum."""
    assert Receiver().receive(b"\x05\x021A|B|C|D\r\x03BF\r\n", 0.0) == (ACK, Keep(b"A|B|C|D\r"), ACK)
    assert Receiver().receive(b"\x05\x021A|B|C|D\r\x0300\r\n", 0.0) == (ACK, NAK)


def test_a_session_is_acknowledged_frame_by_frame() -> None:
    receiver = Receiver()
    assert receiver.receive(ENQ, 0.0) == (ACK,)
    assert receiver.receive(frame(1, b"H|\\^&\r"), 1.0) == (Keep(b"H|\\^&\r"), ACK)
    assert receiver.receive(frame(2, b"L|1|N\r"), 2.0) == (Keep(b"L|1|N\r"), ACK)
    assert receiver.receive(EOT, 3.0) == (Finish(()),)
    assert receiver.deadline is None


def test_a_record_may_go_on_in_the_next_frame_and_numbers_wrap() -> None:
    receiver = Receiver()
    told = receiver.receive(ENQ, 0.0)
    for number in range(1, 19):
        told += receiver.receive(frame(number, b"%02d" % number, b"\x17" if number < 18 else b"\x03"), 0.0)
    told += receiver.receive(EOT, 0.0)
    assert kept(told) == b"".join(b"%02d" % number for number in range(1, 19))
    assert NAK not in told and told[-1] == Finish(())


def test_a_message_that_ends_within_a_record_is_abandoned() -> None:
    receiver = Receiver()
    told = receiver.receive(ENQ + frame(1, b"H|", b"\x17") + EOT, 0.0)
    assert told[-1] == Abandon("the instrument ended the session within a message")


def test_a_wrong_sum_is_refused_and_the_frame_taken_when_it_comes_again() -> None:
    receiver = Receiver()
    receiver.receive(ENQ, 0.0)
    spoiled = bytearray(frame(1, b"H|\\^&\r"))
    spoiled[3] ^= 0x10
    assert receiver.receive(bytes(spoiled), 0.0) == (NAK,)
    assert receiver.receive(frame(1, b"H|\\^&\r"), 0.0) == (Keep(b"H|\\^&\r"), ACK)


def test_a_lower_case_sum_is_no_sum() -> None:
    receiver = Receiver()
    receiver.receive(ENQ, 0.0)
    good = frame(1, b"H|\\^&\rP|1\rO|1|x\r")
    lower = good[:-4] + good[-4:-2].lower() + good[-2:]
    assert lower != good and receiver.receive(lower, 0.0) == (NAK,)


def test_a_frame_out_of_turn_is_refused() -> None:
    receiver = Receiver()
    receiver.receive(ENQ + frame(1, b"a"), 0.0)
    assert receiver.receive(frame(3, b"c"), 0.0) == (NAK,)
    assert receiver.receive(frame(2, b"b"), 0.0) == (Keep(b"b"), ACK)


def test_the_frame_acknowledged_last_is_acknowledged_again_and_kept_once() -> None:
    receiver = Receiver()
    told = receiver.receive(ENQ + frame(1, b"a") + frame(1, b"a") + frame(1, b"a") + frame(2, b"b") + EOT, 0.0)
    assert told == (ACK, Keep(b"a"), ACK, ACK, ACK, Keep(b"b"), ACK, Finish(()))


def test_the_same_number_with_other_contents_is_refused() -> None:
    receiver = Receiver()
    receiver.receive(ENQ + frame(1, b"a"), 0.0)
    assert receiver.receive(frame(1, b"x"), 0.0) == (NAK,)


def test_a_message_whose_last_frame_was_refused_is_not_whole() -> None:
    receiver = Receiver()
    told = receiver.receive(ENQ + frame(1, b"a") + frame(3, b"c") + EOT, 0.0)
    assert told[-1] == Abandon("the instrument ended the session within a message")


def test_silence_of_thirty_seconds_ends_a_session() -> None:
    receiver = Receiver()
    receiver.receive(ENQ, 100.0)
    receiver.receive(frame(1, b"a"), 110.0)
    assert receiver.deadline == 140.0
    assert receiver.tick(139.9) == ()
    assert receiver.tick(140.0) == (Abandon("the instrument was silent for 30 s within a message"),)
    assert receiver.tick(500.0) == () and receiver.deadline is None
    assert receiver.receive(ENQ, 600.0) == (ACK,)


def test_noise_does_not_hold_a_session() -> None:
    receiver = Receiver()
    receiver.receive(ENQ + frame(1, b"a"), 0.0)
    receiver.receive(b"zzz", 29.0)
    assert receiver.deadline == 30.0


def test_an_instrument_that_begins_anew_gives_up_what_it_sent() -> None:
    receiver = Receiver()
    told = receiver.receive(ENQ + frame(1, b"a") + ENQ + frame(1, b"b") + EOT, 0.0)
    assert told == (
        ACK, Keep(b"a"), ACK, Abandon("the instrument began anew within a message"), ACK, Keep(b"b"), ACK, Finish(()),
    )  # fmt: skip


def test_a_frame_that_lost_its_tail_does_not_swallow_the_next_session() -> None:
    receiver = Receiver()
    told = receiver.receive(ENQ + frame(1, b"abc")[:-5], 0.0)
    told += receiver.receive(EOT + ENQ + frame(1, b"b") + EOT, 20.0)
    assert told == (ACK, ACK, Keep(b"b"), ACK, Finish(()))


def test_a_frame_longer_than_the_older_standard_is_taken_and_noted() -> None:
    receiver = Receiver()
    told = receiver.receive(ENQ + frame(1, b"x" * 241) + EOT, 0.0)
    assert kept(told) == b"x" * 241
    assert told[-1] == Finish(("frame 1 holds 241 characters, E1381 allows 240",))
    assert Receiver().receive(ENQ + frame(1, b"x" * 240) + EOT, 0.0)[-1] == Finish(())


def test_a_frame_without_end_is_refused() -> None:
    receiver = Receiver()
    receiver.receive(ENQ, 0.0)
    assert receiver.receive(b"\x021" + b"x" * 70_000, 0.0) == (NAK,)
    assert receiver.receive(frame(1, b"a"), 0.0) == (Keep(b"a"), ACK)


def test_another_protocol_is_refused() -> None:
    told = Receiver().receive(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", 0.0)
    (refusal,) = told
    assert isinstance(refusal, Refuse) and "expected ENQ" in refusal.reason and refusal.data.startswith(b"GET /")
    assert Receiver().receive(b"\x00\r\n\x04\x06", 0.0) == ()


def test_an_empty_frame_is_kept_as_nothing_and_leaves_nothing_behind() -> None:
    receiver = Receiver()
    assert receiver.receive(ENQ + frame(1, b"") + EOT, 0.0) == (ACK, Keep(b""), ACK, Finish(()))


@given(st.lists(st.binary(max_size=40), max_size=8))
def test_noise_is_never_a_message(chunks: list[bytes]) -> None:
    receiver, told = Receiver(), tuple[Action, ...]()
    for chunk in chunks:
        told += receiver.receive(chunk, 0.0)
    assert not any(isinstance(action, Keep | Finish) for action in told)


@given(st.data(), st.lists(st.binary(min_size=1, max_size=30), min_size=1, max_size=12))
def test_however_the_bytes_are_cut_the_message_is_the_same(data: st.DataObject, texts: list[bytes]) -> None:
    clean = [bytes(byte for byte in text if byte > 0x1F) for text in texts]
    stream = ENQ + b"".join(frame(number, text) for number, text in enumerate(clean, 1)) + EOT
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=10)))
    receiver, told = Receiver(), tuple[Action, ...]()
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        told += receiver.receive(stream[start:end], 0.0)
    assert kept(told) == b"".join(clean) and told[-1] == Finish(())


@given(st.integers(0, 200), st.integers(1, 255))
def test_no_spoiled_byte_reaches_the_message(at: int, spoil: int) -> None:
    texts = (b"H|\\^&|||counter\r", b"R|1|^^^VIABLE|1200000|cells/mL\r", b"L|1|N\r")
    frames = [frame(number, text) for number, text in enumerate(texts, 1)]
    stream = bytearray(b"".join(frames))
    stream[at % len(stream)] ^= spoil
    receiver = Receiver()
    told = receiver.receive(ENQ, 0.0) + receiver.receive(bytes(stream), 0.0)
    texts_kept = [action.text for action in told if isinstance(action, Keep)]
    assert all(text in texts for text in texts_kept)
