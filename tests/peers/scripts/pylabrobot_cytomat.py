"""PyLabRobot's CytomatBackend initialises a Cytomat, asks for everything, and moves a plate out, in and around."""

import asyncio
import dataclasses
import json
import sys
import warnings

from pylabrobot.storage.cytomat import CytomatBackend
from pylabrobot.storage.cytomat.racks import cytomat_rack_9mm_51

warnings.simplefilter("ignore")
READ_S = 0.2  # it reads 128 bytes each time, which ends with this time-out


def named(state: object) -> dict[str, object]:
    return {name: getattr(value, "name", value) for name, value in dataclasses.asdict(state).items()}


async def main(port: str, model: str) -> dict[str, object]:
    cytomat = CytomatBackend(model, port)
    cytomat.io.timeout = READ_S
    await cytomat.setup()
    rack = cytomat_rack_9mm_51("rack")
    await cytomat.set_racks([rack])
    said: dict[str, object] = {"overview": named(await cytomat.get_overview_register())}
    said["temperature"] = await cytomat.get_temperature()
    for name, ask in {"co2": cytomat.get_co2, "humidity": cytomat.get_humidity, "o2": cytomat.get_o2}.items():
        said[name] = dataclasses.astuple(await ask())
    said["warning"] = (await cytomat.get_warning_register()).name
    said["swap"] = named(await cytomat.get_swap_register())
    said["out"] = named(await cytomat.action_storage_to_transfer(rack.sites[1]))
    said["action"] = named(await cytomat.get_action_register())
    said["in"] = named(await cytomat.action_transfer_to_storage(rack.sites[9]))
    try:
        await cytomat.action_storage_to_wait(rack.sites[20])
    except Exception as error:
        said["empty_slot"] = type(error).__name__
    said["error_after"] = (await cytomat.get_error_register()).name
    said["gate"] = [named(await cytomat.open_door()), named(await cytomat.close_door())]
    await cytomat.init_shakers()
    await cytomat.start_shaking(250)
    await cytomat.stop()
    return said


json.dump(asyncio.run(main(sys.argv[1], sys.argv[2])), sys.stdout)
