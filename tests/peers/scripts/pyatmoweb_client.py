"""Read a chamber with pyatmoweb: HOST:PORT; prints what it makes of the answers."""

import json
import sys

from pyatmoweb import pyAtmoWeb as atmoweb

address = sys.argv[1]
said = {
    "Temp1Read": atmoweb.get_temp_1(address),
    "Temp2Read": atmoweb.get_temp_2(address),
    "CO2Read": atmoweb.get_co2(address),
    "CO2Set": atmoweb.get_co2_set_point(address),
    "HumRead": atmoweb.get_humidity(address),
    "O2Read": atmoweb.get_o2(address),
    "DoorOpen": atmoweb.get_door_state(address),
}
print(json.dumps(said))
