"""Read registers with minimalmodbus: PORT MODE UNIT, then FUNCTION:ADDRESS:FORM for each number; prints the numbers."""

import json
import sys

import minimalmodbus

port, mode, unit_id, *wanted = sys.argv[1:]
instrument = minimalmodbus.Instrument(port, int(unit_id), mode)
instrument.serial.baudrate = 19200
instrument.serial.timeout = 5.0
order = {"low": minimalmodbus.BYTEORDER_LITTLE_SWAP, "high": minimalmodbus.BYTEORDER_BIG}
numbers = []
for entry in wanted:
    function, address, form = entry.split(":")
    kind, _, first = form.partition("_")
    where = {"registeraddress": int(address, 0), "functioncode": int(function)}
    if kind == "float":
        numbers.append(instrument.read_float(**where, byteorder=order[first]))
    elif kind == "long":
        numbers.append(instrument.read_long(**where, byteorder=order[first]))
    else:
        numbers.append(instrument.read_register(**where, signed=kind == "int16"))
print(json.dumps(numbers))
