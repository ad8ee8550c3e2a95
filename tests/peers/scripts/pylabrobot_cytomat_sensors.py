"""PyLabRobot's CytomatBackend asks for the sensors."""

import asyncio
import dataclasses
import json
import sys

from pylabrobot.storage.cytomat import CytomatBackend

READ_S = 0.2  # it reads 128 bytes each time, which ends with this time-out


async def main(port: str) -> dict[str, bool]:
    cytomat = CytomatBackend("C6000", port)
    cytomat.io.timeout = READ_S
    await cytomat.io.setup()
    await cytomat.send_action("ll", "gp", "001")
    sensors = await cytomat.get_sensor_register()
    await cytomat.stop()
    return dataclasses.asdict(sensors)


json.dump(asyncio.run(main(sys.argv[1])), sys.stdout)
