"""The julabo client asks a bath for everything and sets it: host and port are the arguments."""

import json
import sys

from julabo import JulaboCF, connection_for_url

host, port = sys.argv[1:3]
connection = connection_for_url(f"tcp://{host}:{port}", concurrency="syncio", timeout=5)
connection.open()
bath = JulaboCF(connection)
said = {
    "identification": bath.identification(),
    "status": bath.status(),
    "is_started": bath.is_started(),
    "bath": bath.bath_temperature(),
    "heating": bath.heating_power(),
    "safety": bath.safety_temperature(),
    "set_point": bath.set_point_1(),
}
bath.set_point_1(38.5)
bath.stop()
said["stopped"] = bath.status()
connection.close()
print(json.dumps(said))
