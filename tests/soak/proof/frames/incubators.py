r"""Oracles for incubators: Heracell, Cytomat, LiCONiC STX, Memmert AtmoWEB.

Heracell: Steri-Cycle i160 manual p170-181, VIOS 160i p170-171 (``!:aaaa:bb:payload:cc\r``, lower-case hex, ones'
complement of the XOR) and the VIOS CR manual's CRC-8 with polynomial 0x07. Cytomat: PyLabRobot and open-cytomat (``xx
value\r``, ``er HH\r``). LiCONiC: PyLabRobot and open-liconic-stx (a number and CR LF, E0 to E5). AtmoWEB: pyatmoweb,
MemmertControl, ha-atmoweb (nearly JSON, ``N/A`` where nothing is fitted).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from random import Random

from proof.frames.dialect import FAULT, Answer, Dialect, plain_text, scenes_of

__all__ = ["CYTOMAT", "HERACELL_CRC8", "HERACELL_XOR", "LICONIC", "MEMMERT"]

LOWER_HEX = frozenset("0123456789abcdef")
HEX = frozenset("0123456789abcdefABCDEF")
DIGITS = frozenset("0123456789")


def ones_complement(data: bytes) -> int:
    found = 0xFF
    for byte in data:
        found ^= byte
    return found


def crc8(data: bytes) -> int:
    register = 0
    for byte in data:
        for bit in range(7, -1, -1):
            out = register >> 7 ^ (byte >> bit & 1)
            register = register << 1 & 0xFF ^ (0x07 if out else 0)
    return register


def heracell(name: str, check: Callable[[bytes], int]) -> Dialect:
    def frame(address: str, payload: str) -> bytes:
        head = f"!:{address}:{len(payload):02x}:{payload}:".encode()
        return head + f"{check(head):02x}\r".encode()

    def device(dice: Random, is_ours: bool) -> Mapping[str, bytes]:
        loop = ";".join(f"{dice.uniform(-5, 60):+07.2f}" for _ in range(4))
        co2 = f"+005.00;{dice.uniform(0, 20):+07.2f};------;{dice.uniform(0, 20):+07.2f}"
        records = "".join(dice.randbytes(16).hex() for _ in range(dice.randint(0, 7)))
        payloads = {
            "2010": dice.choice([loop, loop, loop, "?2"]),
            "2020": dice.choice([co2, co2, "?1"]),
            "2140": f"{dice.choice([0x11, 0x12, 0x31, 0x20]):02x}",
            "2300": ":".join(f"E{dice.randrange(10**9):020d}" for _ in range(dice.randint(0, 3))),
            "2400": records,
        }
        return {address: frame(address, payload) for address, payload in payloads.items()}

    def judge(asked: str, heard: bytes) -> Collection[Answer]:
        text = heard[:-1].decode("ascii", "replace")  # what is no character at all is no number either
        if heard[-1:] != b"\r" or len(text) < 13 or text[:2] != "!:":
            return ()
        if text[2:6] != asked or text[6] != ":" or text[9] != ":" or text[-3] != ":":
            return ()
        length, payload, digits = text[7:9], text[10:-3], text[-2:]
        if not LOWER_HEX.issuperset(length + digits) or int(length, 16) != len(payload):
            return ()
        if int(digits, 16) != check(heard[:-3]):
            return ()
        if payload in ("?0", "?1", "?2", "?3"):
            return (FAULT,)
        return heracell_payload(asked, payload)

    return Dialect(name, 8, scenes_of(device), judge, end=b"\r")


def heracell_payload(asked: str, payload: str) -> Collection[Answer]:
    if asked in ("2010", "2020"):
        fields = payload.split(";")
        return ((hundredths(fields[0]), hundredths(fields[1])),) if len(fields) == 4 else ()
    if asked == "2140":
        if len(payload) != 2 or not LOWER_HEX.issuperset(payload):
            return ()
        return (tuple(bool(int(payload, 16) & mask) for mask in (1, 2, 16, 32)),)
    if asked == "2300":
        if not payload:
            return ((),)
        entries = [payload[at : at + 21] for at in range(0, len(payload), 22)]
        separators = payload[21::22]
        sound = len(payload) % 22 == 21 and separators == ":" * (len(entries) - 1) and len(entries) <= 11
        return (tuple(entries),) if sound else ()
    if len(payload) % 32 or len(payload) > 7 * 32 or not LOWER_HEX.issuperset(payload):
        return ()
    rows = [payload[at : at + 32] for at in range(0, len(payload), 32)]
    values = [(int(row[:2], 16), *(tenths(row[at : at + 4]) for at in (16, 20, 24, 28))) for row in rows]
    return (tuple(part for record in values for part in record),)


def hundredths(field: str) -> float | None:
    """``+036.95``; anything else is no number."""
    whole, point, rest = field[1:4], field[4:5], field[5:]
    sound = len(field) == 7 and field[0] in "+-" and point == "." and DIGITS.issuperset(whole + rest)
    return float(field) if sound else None


def tenths(word: str) -> float | None:
    """Four hex digits; what the highest bit means is not public."""
    number = int(word, 16)
    return None if number & 0x8000 else number / 10


HERACELL_XOR = heracell("Heracell, XOR", ones_complement)
HERACELL_CRC8 = heracell("Heracell, CRC-8", crc8)


def _cytomat(dice: Random, is_ours: bool) -> Mapping[str, bytes]:
    loops = {"it": 37.0, "ic": 5.0, "ih": 90.0, "io": 20.9}
    said = {name: f"{name} {about:+05.1f} {dice.gauss(about, 1):+05.1f}" for name, about in loops.items()}
    said |= {name: f"{name} {dice.randrange(256):02X}" for name in ("bs", "be", "bw", "ba")}
    if dice.random() < 0.3:
        said["io"] = f"er {dice.choice([0x01, 0x02, 0x04, 0x52]):02X}"
    return {name: f"{text}\r".encode() for name, text in said.items()}


def _judge_cytomat(asked: str, heard: bytes) -> Collection[Answer]:
    text = plain_text(heard[:-1].lstrip(b"\n"))  # of a device that ends with CR LF the LF comes now
    if text is None or heard[-1:] != b"\r":
        return ()
    name, _, value = text.partition(" ")
    value = value.strip(" ")
    if name == "er":
        return (FAULT,) if len(value) == 2 and HEX.issuperset(value) else ()
    if name != asked:
        return ()
    if asked[0] == "i":
        numbers = [decimal(part, 3, 2) for part in value.split(" ") if part]
        return (tuple(numbers),) if len(numbers) == 2 and None not in numbers else ()
    return ((int(value, 16),),) if len(value) == 2 and HEX.issuperset(value) else ()


def decimal(text: str, most_whole: int, most_decimals: int, *, needs_point: bool = True) -> float | None:
    """A number such as -36.9; None for any other text."""
    whole, point, rest = text.lstrip("+-").partition(".")
    if len(text) - len(text.lstrip("+-")) > 1 or not DIGITS.issuperset(whole + rest):
        return None
    if not 1 <= len(whole) <= most_whole or len(rest) > most_decimals or bool(rest) != bool(point):
        return None
    return float(text) if point or not needs_point else None


CYTOMAT = Dialect("Cytomat", 0, scenes_of(_cytomat), _judge_cytomat, end=b"\r", limit=256)


def _liconic(dice: Random, is_ours: bool) -> Mapping[str, bytes]:
    memories = {"DM982": (370, 5), "DM890": (370, 0), "DM983": (900, 20), "DM984": (500, 10), "DM200": (0, 0)}
    said = {f"RD {name}": f"{max(0, round(dice.gauss(*about))):05d}" for name, about in memories.items()}
    said |= {f"RD {relay}": str(dice.randrange(2)) for relay in (1915, 1814, 1813)}
    if dice.random() < 0.3:
        said["RD DM984"] = dice.choice(["E0", "E3", "E5"])
    return {asked: f"{text}\r\n".encode() for asked, text in said.items()}


def _judge_liconic(asked: str, heard: bytes) -> Collection[Answer]:
    text = plain_text(heard[:-2])
    if text is None or heard[-2:] != b"\r\n":
        return ()
    if text in ("E0", "E2", "E3", "E4", "E5"):
        return (FAULT,)
    if asked.startswith("RD DM"):
        sound = 1 <= len(text) <= 5 and DIGITS.issuperset(text) and int(text) < 2**16
        return ((int(text),),) if sound else ()
    return ((int(text),),) if text in ("0", "1") else ()


LICONIC = Dialect("LiCONiC STX", 0, scenes_of(_liconic), _judge_liconic, end=b"\r\n", limit=64)

READ_KEYS = ("Temp1Read", "TempSet", "CO2Read", "CO2Set", "DoorOpen")
WHO_KEYS = ("SN", "DevType", "SWRev")


def _memmert(dice: Random, is_ours: bool) -> Mapping[tuple[str, ...], bytes]:
    numbers = [f"{dice.gauss(37, 1):.1f}", "37.0", dice.choice([f"{dice.gauss(5, 1):.2f}", "N/A"]), "5.0", "0"]
    texts = [f'"F{dice.randrange(10**4)}"', dice.choice(['"ICO150"', '"ICH110"']), '"V3.1"']
    pairs = {READ_KEYS: numbers, WHO_KEYS: texts}
    return {keys: nearly_json(keys, values, dice).encode() for keys, values in pairs.items()}


def nearly_json(keys: tuple[str, ...], values: list[str], dice: Random) -> str:
    text = "".join(f'"{key}": {value}, ' for key, value in zip(keys, values, strict=True))
    return f"{{{text}}}" if dice.random() < 0.3 else text


def _judge_memmert(asked: tuple[str, ...], heard: bytes) -> Collection[Answer]:
    try:
        text = heard.decode("utf-8").strip()
    except UnicodeDecodeError:
        return ()
    if text.startswith("{"):
        if not text.endswith("}"):
            return ()
        text = text[1:-1].rstrip()
        text += "" if text.endswith(",") else ","
    said = entries_of(text)
    return (tuple(said.get(key) for key in asked),) if said else ()


def entries_of(text: str) -> dict[str, float | str | None]:
    """Key, colon, value and comma, again and again to the end; empty for anything else."""
    said: dict[str, float | str | None] = {}
    while text:
        before, *key_and_rest = text.split('"', 2)
        if before.strip() or len(key_and_rest) != 2:
            return {}
        key, rest = key_and_rest
        if not rest.lstrip().startswith(":") or not key.replace("_", "a").isalnum() or key in said:
            return {}
        value, is_sound, rest = value_of(rest.lstrip()[1:].lstrip())
        if not is_sound or not rest.lstrip().startswith(","):
            return {}
        said[key], text = value, rest.lstrip()[1:]
    return said


def value_of(text: str) -> tuple[float | str | None, bool, str]:
    """The value at the start, whether it is one, and what follows; a range and N/A are no value of a channel."""
    if text.startswith('"'):
        value, quote, rest = text[1:].partition('"')
        return None if value == "N/A" else value, bool(quote) and min(value, default=" ") >= " ", rest
    if text.startswith("{"):
        _, brace, rest = text.partition("}")
        return None, bool(brace), rest
    literal = text.split(",", 1)[0]
    number = decimal(literal.rstrip(), 7, 6, needs_point=False)
    is_number = number is not None and not literal.startswith("+")
    return number, is_number or literal.rstrip() == "N/A", text[len(literal) :]


MEMMERT = Dialect("Memmert AtmoWEB", 0, scenes_of(_memmert), _judge_memmert)
