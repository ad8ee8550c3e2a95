"""mettler_toledo_device asks a balance who it is, weighs, and zeroes: the serial port is the argument."""

import json
import sys

from mettler_toledo_device import MettlerToledoDevice

MettlerToledoDevice._RESET_DELAY = 0.0  # it waits two seconds for a balance that its port has reset
balance = MettlerToledoDevice(port=sys.argv[1], timeout=2.0)
said = {
    "serial_number": balance.get_serial_number(),
    "data": balance.get_balance_data(),
    "software": balance.get_software_version(),
    "now": balance.get_weight(),
    "stable": balance.get_weight_stable(),
    "zeroed": balance.zero_stable(),
    "after": balance.get_weight(),
}
balance.close()
print(json.dumps(said))
