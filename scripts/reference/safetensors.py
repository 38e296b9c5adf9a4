"""Reads and writes the safetensors format with numpy alone.

Layout: an unsigned 64-bit little-endian header length, a JSON header padded with spaces to a
multiple of 8 bytes, then the tensors without gaps. Tensors whose size is a multiple of 8 bytes come first, in the
order given, then multiples of 4, 2 and 1: so each starts at a multiple of its element size, and as many as can
start at a multiple of 8.
"""

import json
import os
import struct

import numpy as np

DTYPES = {
    "F64": np.dtype("<f8"),
    "F32": np.dtype("<f4"),
    "F16": np.dtype("<f2"),
    "I64": np.dtype("<i8"),
    "I32": np.dtype("<i4"),
    "U8": np.dtype("u1"),
    "BOOL": np.dtype("?"),
}
NAMES = {dtype: name for name, dtype in DTYPES.items()}


def write_safetensors(path, tensors, metadata=None):
    """Writes named numpy arrays; the file appears under its name only when it is complete.

    Equal input gives equal bytes.
    """
    header, offset, blocks = {}, 0, []
    if metadata:
        header["__metadata__"] = {key: str(value) for key, value in metadata.items()}
    ordered = sorted(tensors.items(), key=lambda item: -np.gcd(np.asarray(item[1]).nbytes, 8))
    for name, value in ordered:
        array = np.ascontiguousarray(value)
        if array.shape != np.shape(value):
            array = array.reshape(np.shape(value))  # ascontiguousarray makes scalars 1-d
        header[name] = {
            "dtype": NAMES[array.dtype.newbyteorder("<") if array.dtype.itemsize > 1 else array.dtype],
            "shape": list(array.shape),
            "data_offsets": [offset, offset + array.nbytes],
        }
        blocks.append(array.tobytes())
        offset += array.nbytes
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    partial = f"{path}.partial"
    with open(partial, "wb") as file:
        file.write(struct.pack("<Q", len(text)))
        file.write(text)
        for block in blocks:
            file.write(block)
    os.replace(partial, path)


def read_safetensors(path):
    """Reads every tensor into numpy arrays (copies), and the metadata."""
    with open(path, "rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(length))
        body = file.read()
    metadata = header.pop("__metadata__", {})
    tensors = {}
    for name, entry in header.items():
        start, end = entry["data_offsets"]
        flat = np.frombuffer(body[start:end], dtype=DTYPES[entry["dtype"]])
        tensors[name] = flat.reshape(entry["shape"]).copy()
    return tensors, metadata
