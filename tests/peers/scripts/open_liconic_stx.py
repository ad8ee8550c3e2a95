"""open-liconic-stx opens the dialogue, initialises, asks for the climate, moves a plate, and meets an error."""

import json
import sys

import stx.serial_port

stx.serial_port.PARITY_EVEN = "N"  # a pseudo-terminal has no parity

from stx import Stx  # noqa: E402
from stx.errors import ErrorResponse, SerialError  # noqa: E402

WAIT_S = 20
said = {}
device = Stx(sys.argv[1])
try:
    device.ready  # noqa: B018
except SerialError as error:
    said["before"] = type(error).__name__
with device:
    device.initialize()
    device.wait_until_ready(WAIT_S)
    climate, handler = device.climate_controller, device.plate_handler
    said["climate"] = [
        climate.current_temperature,
        climate.current_humidity,
        climate.current_co2,
        climate.current_gas_1,
    ]
    climate.target_temperature, climate.target_co2 = 33.5, 7.5
    said["targets"] = [climate.target_temperature, climate.target_humidity, climate.target_co2]
    handler.move_plate_from_slot_to_transfer_station(1, 2)
    device.wait_until_ready(WAIT_S)
    said["at_station"] = handler.transfer_station_occupied
    handler.move_plate_from_transfer_station_to_handler()
    device.wait_until_ready(WAIT_S)
    said["on_shovel"] = handler.handler_occupied
    handler.move_plate_from_handler_to_slot(2, 7)
    device.wait_until_ready(WAIT_S)
    device.shaker_controller.shaker_speed = 10
    device.shaker_controller.activate_shaker()
    said["shaker"] = [device.shaker_controller.shaker_is_active, device.shaker_controller.shaker_speed]
    handler.move_plate_from_slot_to_handler(2, 99)
    try:
        device.wait_until_ready(WAIT_S)
    except (ErrorResponse, ValueError) as error:
        said["error"] = f"{type(error).__name__}: {error}"
    try:
        climate.current_gas_2  # noqa: B018
    except SerialError as error:
        said["gas_2"] = type(error).__name__
json.dump(said, sys.stdout)
