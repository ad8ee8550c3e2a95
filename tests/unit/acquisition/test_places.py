"""No device is shown under two names, and nothing that is played back is shown as real."""

from pathlib import Path

import pytest

from cultureops.acquisition import Acquisition
from cultureops.clock import SystemClock
from cultureops.errors import ConfigError
from cultureops.site import read_site

MVE = 'driver = "mve_tec3000"\nlink = "tcp://gateway:10001"\n'
COUNTER = """driver = "astm_counter"
link = "listen+tcp://127.0.0.1:4010"
options = {{ mapping = "example_counter", {} }}
"""


def planned(folder: Path, *devices: str) -> Acquisition:
    rows = "".join(f'[[device]]\nid = "device_{number}"\n{row}' for number, row in enumerate(devices, 1))
    (folder / "site.toml").write_text(f'[site]\nname = "lab"\n{rows}', encoding="utf-8")
    return Acquisition(read_site(folder / "site.toml").devices, SystemClock(), lambda _: None)


@pytest.mark.parametrize(
    "devices",
    [
        (MVE, MVE),
        (MVE, MVE + 'options = { controller = "001" }\n', MVE + 'options = { controller = "001" }\n'),
        (COUNTER.format('folder = "/a"'), COUNTER.format('folder = "/b"')),
        ('driver = "image_folder"\nlink = "folder:///x"\n', 'driver = "incucyte"\nlink = "folder:///x"\n'),
    ],
)
def test_two_names_for_one_place_are_refused(tmp_path: Path, devices: tuple[str, ...]) -> None:
    with pytest.raises(ConfigError, match=rf"toml:\d+: .*device_{len(devices)}' stands at the same place as"):
        planned(tmp_path, *devices)


def test_neighbours_with_addresses_of_their_own_share_a_line(tmp_path: Path) -> None:
    devices = [MVE + f'options = {{ controller = "{number:03}" }}\n' for number in (1, 2)]
    assert len(planned(tmp_path, *devices).buses) == 1


def test_what_is_played_back_is_never_real(tmp_path: Path) -> None:
    (tmp_path / "tape.txt").write_text("> 00\n", encoding="ascii")
    row = f'driver = "mve_tec3000"\nlink = "replay://{tmp_path}/tape.txt"\n'
    with pytest.raises(ConfigError, match="write simulated = true"):
        planned(tmp_path, row)
    assert all(channel.simulated for channel in planned(tmp_path, row + "simulated = true\n").channels)


def test_one_port_has_one_speed(tmp_path: Path) -> None:
    slow, fast = (f'driver = "ami_185"\nlink = "serial:///dev/ttyUSB0?baudrate={rate}"\n' for rate in (4800, 9600))
    with pytest.raises(ConfigError, match=r"toml:\d+: .*this port is 'device_1''s, as"):
        planned(tmp_path, slow, fast)
