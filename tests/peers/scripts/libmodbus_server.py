"""Serve registers with libmodbus on 127.0.0.1: PORT, then a JSON object {function: {address: word}}."""

import ctypes
import json
import sys

port, tables = sys.argv[1:]
words = {
    int(function): {int(key): word for key, word in table.items()} for function, table in json.loads(tables).items()
}


class Mapping(ctypes.Structure):
    """modbus_mapping_t of libmodbus 3.1."""

    _fields_ = (
        *((f"{act}_{table}", ctypes.c_int) for table in ("bits", "input_bits") for act in ("nb", "start")),
        *((f"{act}_{table}", ctypes.c_int) for table in ("input_registers", "registers") for act in ("nb", "start")),
        ("tab_bits", ctypes.POINTER(ctypes.c_uint8)),
        ("tab_input_bits", ctypes.POINTER(ctypes.c_uint8)),
        ("tab_input_registers", ctypes.POINTER(ctypes.c_uint16)),
        ("tab_registers", ctypes.POINTER(ctypes.c_uint16)),
    )


library = ctypes.CDLL("libmodbus.so.5")
library.modbus_new_tcp.restype = ctypes.c_void_p
library.modbus_mapping_new_start_address.restype = ctypes.POINTER(Mapping)
context = ctypes.c_void_p(library.modbus_new_tcp(b"127.0.0.1", int(port)))


def extent(function: int) -> tuple[int, int]:
    addresses = sorted(words.get(function, {}))
    return (addresses[0], addresses[-1] - addresses[0] + 1) if addresses else (0, 0)


holding, inputs = extent(3), extent(4)
mapping = library.modbus_mapping_new_start_address(0, 0, 0, 0, *holding, *inputs)
for function, (start, _), table in ((3, holding, "tab_registers"), (4, inputs, "tab_input_registers")):
    for address, word in words.get(function, {}).items():
        getattr(mapping.contents, table)[address - start] = word

listening = ctypes.c_int(library.modbus_tcp_listen(context, 8))
frame = (ctypes.c_uint8 * 260)()
while library.modbus_tcp_accept(context, ctypes.byref(listening)) != -1:
    while (length := library.modbus_receive(context, frame)) != -1:
        if length > 0:
            library.modbus_reply(context, frame, length, mapping)
    library.modbus_close(context)
