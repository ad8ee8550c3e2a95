"""open-cytomat initialises a Cytomat, asks for everything, moves a plate out and in, and sets the climate."""

import json
import sys

from cytomat import Cytomat
from cytomat.errors import SerialCommunicationError

WAIT_S, POLL_S = 20, 0.02
cytomat = Cytomat(sys.argv[1])
handler, climate, shaker = cytomat.plate_handler, cytomat.climate_controller, cytomat.shaker_controller


def refusal(call, *arguments):
    try:
        call(*arguments)
    except SerialCommunicationError as error:
        return type(error).__name__


def done(status):
    return {"at_once": status._asdict(), "in_the_end": cytomat.wait_until_not_busy(WAIT_S, POLL_S)._asdict()}


said = {
    "init": done(handler.initialize()),
    "out": done(handler.move_plate_from_slot_to_transfer_station(2)),
    "in": done(handler.move_plate_from_transfer_station_to_slot(10)),
    "on_shovel": done(handler.move_plate_from_slot_to_handler(1)),
    "occupied": refusal(handler.move_plate_from_slot_to_handler, 3),
    "exposed": done(handler.move_plate_from_inside_to_exposed_position()),
    "back": done(handler.move_plate_from_exposed_position_to_slot(1)),
    "no_slot": refusal(handler.move_plate_from_slot_to_handler, 999),
    "empty_station": refusal(handler.move_plate_from_transfer_station_to_slot, 1),
    "gate_open": done(handler.open_transfer_door()),
    "gate_closed": done(handler.close_transfer_door()),
    "axes": [done(move(2))["in_the_end"] for move in (handler.move_handler_above_slot_height, handler.move_x_to_slot)],
    "scan": done(cytomat.barcode_scanner.read_barcodes_in_range(1, 5)),
    "error": cytomat.error_status.name,
    "warning": cytomat.warning_status.name,
    "reset": cytomat.maintenance_controller.reset_error_status()._asdict(),
}
try:
    said["action"] = cytomat.action_status._asdict()
except KeyError as error:
    said["action"] = repr(error)
climate.target_temperature = 33.5
climate.target_co2 = 7.5
said["climate"] = [climate.target_temperature, climate.current_temperature, climate.target_co2, climate.current_co2]
said["shaker_cold"] = refusal(shaker.start_all_shakers)
shaker.initialize_shakers()
shaker.set_shaker_frequency(1, 250)
shaker.start_shaker(1)
said["shaker_frequency"] = shaker.get_shaker_frequency(1)
json.dump(said, sys.stdout)
