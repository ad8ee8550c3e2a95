"""PyLabRobot's ExperimentalLiconicBackend opens the dialogue, asks for the climate, and moves a plate."""

import asyncio
import json
import sys
import warnings

from pylabrobot.resources import Cor_96_wellplate_360ul_Fb
from pylabrobot.storage.liconic import ExperimentalLiconicBackend
from pylabrobot.storage.liconic.racks import liconic_rack_5mm_42

warnings.simplefilter("ignore")
READ_S = 0.2  # it reads 128 bytes each time, which ends with this time-out


async def main(port: str) -> dict[str, object]:
    stx = ExperimentalLiconicBackend("STX44_IC", port)
    stx.io.timeout = READ_S
    stx.io.parity = "N"  # a pseudo-terminal has none
    await stx.setup()
    racks = [liconic_rack_5mm_42("one"), liconic_rack_5mm_42("two")]
    await stx.set_racks(racks)
    plate = Cor_96_wellplate_360ul_Fb("plate")
    said: dict[str, object] = {
        "temperature": await stx.get_temperature(),
        "target_temperature": await stx.get_target_temperature(),
        "humidity": await stx.get_humidity(),
        "co2": await stx.get_co2_level(),
        "target_co2": await stx.get_target_co2_level(),
    }
    racks[0].sites[0].assign_child_resource(plate)
    await stx.fetch_plate_to_loading_tray(plate)
    said["at_station"] = await stx.check_transfer_sensor()
    await stx.take_in_plate(plate, racks[1].sites[3])
    said["left_station"] = not await stx.check_transfer_sensor()
    await stx.set_temperature(33.5)
    said["new_target"] = await stx.get_target_temperature()
    await stx.stop()
    return said


json.dump(asyncio.run(main(sys.argv[1])), sys.stdout)
