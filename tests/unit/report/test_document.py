"""Documents: hostile names come out as the text they are, in a PDF that says it is PDF/A-2b, byte for byte again."""

import re
import zlib
from zoneinfo import ZoneInfo

import pytest

from cultureops.errors import CultureOpsError
from cultureops.ledger.event import JsonValue
from cultureops.ledger.head import Head
from cultureops.report.document import Imprint, render

HEAD = Head(1234, "ab" * 32)
IMPRINT = Imprint("Alarm system performance", "Lab 7", "qa-1", 1_767_600_000_000, ZoneInfo("Europe/Berlin"), HEAD)
HOSTILE = (
    '#panic("x")', "#{1/0}", "[a](b)]]", "\\u{41}\\", "`raw` ```x```", "$x^2$ *b* _i_ @ref <label>", "// no /* comment",
    "#sys.inputs", '"quoted" {"json": 1}', "= heading", "%PDF-1.7 endstream endobj",
)  # fmt: skip


def report(*names: str, **more: JsonValue) -> dict[str, JsonValue]:
    """What the alarm report's template needs, with hostile names wherever a name may stand."""
    rows = [{"rule_id": name, "activations": 1, "share_pct": 1.0} for name in names]
    actors = [{"rule_id": name, "activations": 1, "faults": ["stale"], "advice": "mend it"} for name in names]
    data: dict[str, JsonValue] = {
        "period": {"text": "2026", "days": 30}, "record_since_text": "2026", "operators": 1, "activations": 1,
        "realarms": 0, "is_sufficient": True, "kpis": [], "top": rows, "worst_actors": actors, "floods": [],
        "stale_days": [], "unacknowledged": list(names),
        "terms": {
            "chatter_least": 3, "chatter_within_s": 60.0, "fleeting_part": 0.25, "flood_ends_below": 5,
            "shift_s": 28800.0,
        },
    }  # fmt: skip
    return IMPRINT.data() | data | more


def objects(pdf: bytes) -> dict[int, tuple[bytes, bytes]]:
    """Every object of a PDF: its dictionary and, unpacked, its stream; those inside object streams too."""
    found: dict[int, tuple[bytes, bytes]] = {}
    for number, body in re.findall(rb"(?:^|\n)(\d+) 0 obj\n(.*?)\nendobj", pdf, re.DOTALL):
        head, _, rest = body.partition(b"stream\n")
        stream = rest.rsplit(b"\nendstream", 1)[0]
        stream = zlib.decompress(stream) if b"FlateDecode" in head else stream
        found[int(number)] = head, stream
        if b"/ObjStm" in head:
            first = int(re.search(rb"/First (\d+)", head)[1])  # type: ignore[index]
            pairs = [int(part) for part in stream[:first].split()]
            offsets = [*pairs[1::2], len(stream) - first]
            for place, inner in enumerate(pairs[::2]):
                found[inner] = stream[first + offsets[place] : first + offsets[place + 1]], b""
    return found


def words_of(pdf: bytes) -> str:
    """The text a reader would copy, blanks left out: glyphs by each font's ToUnicode table, in the order of drawing."""
    all_objects = objects(pdf)
    tables: dict[bytes, dict[int, str]] = {}
    for head, _ in all_objects.values():
        for name, reference in re.findall(rb"/(f\d+) (\d+) 0 R", head):
            font = all_objects[int(reference)][0]
            if match := re.search(rb"/ToUnicode (\d+) 0 R", font):
                tables[name] = glyphs(all_objects[int(match[1])][1])
    said = []
    for _, stream in all_objects.values():
        font_name = b""
        for font, shown in re.findall(rb"/(f\d+) [\d.]+ Tf|(\((?:[^\\()]|\\.)*\)|<[0-9A-Fa-f]+>)", stream, re.DOTALL):
            if font:
                font_name = font
            elif font_name:
                codes = literal(shown)
                table = tables[font_name]
                said += [table.get(codes[n] << 8 | codes[n + 1], "") for n in range(0, len(codes) - 1, 2)]
    return "".join("".join(said).split())


def glyphs(cmap: bytes) -> dict[int, str]:
    rows = re.findall(rb"<([0-9A-Fa-f]{4})> <([0-9A-Fa-f]+)>\n", cmap)
    return {int(code, 16): bytes.fromhex(text.decode()).decode("utf-16-be") for code, text in rows}


def literal(shown: bytes) -> bytes:
    if shown.startswith(b"<"):
        return bytes.fromhex(shown[1:-1].decode())
    plain = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"f": b"\f"}
    return re.sub(
        rb"\\([0-7]{3}|.)",
        lambda m: bytes([int(m[1], 8)]) if m[1].isdigit() else plain.get(m[1], m[1]),
        shown[1:-1],
        flags=re.DOTALL,
    )


def bare(text: str) -> str:
    return "".join(text.split())


@pytest.fixture(scope="module")
def hostile() -> str:
    return words_of(render("alarm_kpi", report(*HOSTILE)))


@pytest.mark.parametrize("name", HOSTILE)
def test_markup_in_a_name_is_text(hostile: str, name: str) -> None:
    assert hostile.count(bare(name)) == 3  # in each place where the template shows it


def test_what_can_not_be_seen_or_shown_is_written_by_its_code() -> None:
    words = words_of(render("alarm_kpi", report("a\u202eb\x00c\ud800d\ufeffe", "中 and 😀", "tab\there")))
    assert "a<U+202E>b<U+0000>c<U+D800>d<U+FEFF>e" in words
    assert "<U+4E2D>and<U+1F600>" in words
    assert "tabhere" in words


def test_scripts_from_right_to_left_are_there() -> None:
    words = words_of(render("alarm_kpi", report("שלום", "مرحبا")))
    assert set("שלום") <= set(words)
    assert "<U+" not in words


def test_ten_thousand_characters_are_all_there_on_many_pages() -> None:
    pdf = render("alarm_kpi", report("#" * 10_000))
    words = words_of(pdf)
    assert words.count("#") == 30_000
    (pages,) = [int(n) for head, _ in objects(pdf).values() for n in re.findall(rb"/Type/Pages/Count (\d+)", head)]
    assert pages > 3
    assert f"{pages}of{pages}" in words


def test_long_names_in_the_running_heads_are_shortened() -> None:
    data = Imprint("T" * 10_000, "S" * 10_000, "P" * 10_000, 0, ZoneInfo("UTC"), None).data()
    words = words_of(render("alarm_kpi", report("x") | data))
    assert "S" * 60 + "…" in words and "noledger" in words


def test_imprint_stands_in_the_footer_with_zone_and_head() -> None:
    words = words_of(render("alarm_kpi", report("x")))
    assert bare("printed by qa-1, 2026-01-05 09:00 CET") in words
    assert f"ledgeruptoevent1234,{HEAD.hash}" in words
    assert "1of1" in words and "Lab7" in words


def test_it_declares_pdf_a_2b_with_title_and_embedded_fonts() -> None:
    pdf = render("alarm_kpi", report("x"))
    everything = b"".join(head + stream for head, stream in objects(pdf).values())
    assert pdf.startswith(b"%PDF-1.7")
    assert b"<pdfaid:part>2</pdfaid:part>" in everything and b"<pdfaid:conformance>B<" in everything
    assert b"Alarm system performance" in everything
    assert everything.count(b"/FontFile") == len(set(re.findall(rb"/FontName/([^/\s]+)", everything))) > 0


def test_the_same_data_gives_the_same_bytes() -> None:
    assert render("alarm_kpi", report("x")) == render("alarm_kpi", report("x"))
    assert render("alarm_kpi", report("x")) != render("alarm_kpi", report("y"))


@pytest.mark.parametrize("name", ["", "nothing", "../alarm_kpi", "alarm_kpi.typ", "/etc/passwd", "A\n"])
def test_an_unknown_template_is_one_line(name: str) -> None:
    with pytest.raises(CultureOpsError, match=r"^report .*: no such template; use one of .*alarm_kpi"):
        render(name, {})


@pytest.mark.parametrize("value", [float("nan"), float("inf"), object(), {1, 2}])
def test_data_that_is_not_json_is_refused(value: JsonValue) -> None:
    with pytest.raises(CultureOpsError, match="not JSON"):
        render("alarm_kpi", report("x", value=value))


def test_data_that_the_template_lacks_is_one_line() -> None:
    with pytest.raises(CultureOpsError, match="can't be set") as refused:
        render("alarm_kpi", IMPRINT.data())
    assert "\n" not in str(refused.value)
