"""Writes fixtures/io: small files from numpy and PyTorch, with what they hold in expected.json.

Run with Debian's python3 (numpy 1.24, torch 1.13):  python3 scripts/io-fixtures/make.py
Equal versions give equal tensors; zip time stamps may differ.
"""

import collections
import json
import os
import pathlib
import pickle
import struct
import sys
import types

import numpy as np
import torch

OUT = pathlib.Path(__file__).resolve().parents[2] / "fixtures" / "io"
EXPECTED = {}


def note(file, name, dtype, value):
    """Records what a reader must find: dtype, shape and flat row-major values."""
    array = np.asarray(value)
    flat = array.reshape(-1)
    values = [int(x) for x in flat] if array.dtype.kind in "biu" else [float(x) for x in flat]
    EXPECTED.setdefault(file, {})[name] = {"dtype": dtype, "shape": list(array.shape), "values": values}


def safetensors():
    """A file put together by hand: bytes in an order that differs from the header's, no padding, metadata."""
    parts = {
        "b": ("F32", [2, 3], np.arange(6, dtype="<f4") / 4),
        "scalar": ("F64", [], np.array([0.1], dtype="<f8")),
        "empty": ("I64", [0, 5], np.zeros(0, dtype="<i8")),
        "a": ("U8", [3], np.array([1, 2, 250], dtype="u1")),
        "mask": ("BOOL", [2], np.array([True, False])),
        "half": ("F16", [2], np.array([1.5, -65504], dtype="<f2")),
        "small": ("I8", [2], np.array([-1, 127], dtype="i1")),
        "short": ("I16", [2], np.array([-300, 300], dtype="<i2")),
        "word": ("U16", [2], np.array([1, 65535], dtype="<u2")),
        "wide": ("U32", [1], np.array([2**32 - 1], dtype="<u4")),
        "fp8": ("F8_E4M3", [4], np.zeros(4, dtype="u1")),
    }
    header, offset, body = {}, 0, b""
    for name, (dtype, shape, data) in parts.items():
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [offset, offset + data.nbytes]}
        body += data.tobytes()
        offset += data.nbytes
    ordered = {"__metadata__": {"format": "pt"}, **{name: header[name] for name in reversed(list(header))}}
    text = json.dumps(ordered).encode()
    (OUT / "hand.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + body)
    read_as = {"F32": "float32", "F64": "float64", "I64": "int64", "U8": "uint8", "BOOL": "bool", "F16": "float16",
               "I8": "int32", "I16": "int32", "U16": "int32", "U32": "int64"}
    for name, (dtype, shape, data) in parts.items():
        if dtype in read_as:
            note("hand.safetensors", name, read_as[dtype], data.reshape(shape))


def npy():
    """Every element type, both orders, all three versions, and what must be refused."""
    read_as = {"f2": "float16", "f4": "float32", "f8": "float64", "i1": "int32", "i2": "int32", "i4": "int32",
               "i8": "int64", "u1": "uint8", "u2": "int32", "u4": "int64", "b1": "bool"}
    arrays = {code: np.arange(6).reshape(2, 3).astype(f"<{code}") for code in read_as}
    arrays["b1"] = np.array([[True, False, True], [False, False, True]])
    for code, array in arrays.items():
        np.save(OUT / f"{code}.npy", array)
        note(f"{code}.npy", "", read_as[code], array)
    cube = np.arange(24, dtype="<f4").reshape(2, 3, 4)
    np.save(OUT / "fortran.npy", np.asfortranarray(cube))
    note("fortran.npy", "", "float32", cube)
    np.save(OUT / "scalar.npy", np.float32(2.5))
    note("scalar.npy", "", "float32", np.float32(2.5))
    np.save(OUT / "empty.npy", np.zeros((0, 3), dtype="<f4"))
    note("empty.npy", "", "float32", np.zeros((0, 3)))
    for version in (2, 3):
        with open(OUT / f"v{version}.npy", "wb") as file:
            np.lib.format.write_array(file, cube, version=(version, 0))
        note(f"v{version}.npy", "", "float32", cube)
    np.save(OUT / "refused-big-endian.npy", np.arange(3, dtype=">f4"))
    np.save(OUT / "refused-object.npy", np.array([{"a": 1}], dtype=object))
    np.save(OUT / "refused-text.npy", np.array(["a", "bc"]))
    np.save(OUT / "refused-structure.npy", np.zeros(2, dtype=[("x", "<f4"), ("y", "<i4")]))
    for file, save in (("stored.npz", np.savez), ("deflated.npz", np.savez_compressed)):
        save(OUT / file, W_enc=cube, mask=arrays["b1"], t=np.asfortranarray(cube[0]))
        note(file, "W_enc", "float32", cube)
        note(file, "mask", "bool", arrays["b1"])
        note(file, "t", "float32", cube[0])


def torch_value():
    """A training checkpoint with every storage class, views, shared storages, numpy values and plain data."""
    base = torch.arange(12, dtype=torch.float32).reshape(3, 4)
    state = collections.OrderedDict()
    for dtype in (torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.int64, torch.int32, torch.int16,
                  torch.int8, torch.uint8):
        state[str(dtype).replace("torch.", "")] = torch.arange(6).reshape(2, 3).to(dtype)
    state["bool"] = torch.tensor([True, False, True])
    state["base"] = base
    state["rows"] = base[1:]
    state["transposed"] = base.t()
    state["column"] = base[:, 1]
    state["expanded"] = base[0, :1].expand(5)
    state["cube.transposed"] = torch.arange(24, dtype=torch.float32).reshape(2, 3, 4).permute(2, 0, 1)
    state["empty"] = torch.zeros(0, 3)
    state["scalar"] = torch.tensor(2.5)
    state["parameter"] = torch.nn.Parameter(torch.ones(2))
    state["complex"] = torch.zeros(2, dtype=torch.complex64)
    return {
        "model": state,
        "layers": [torch.ones(1), {"bias": torch.full((2,), 3.0)}],
        "step": 7,
        "huge": 2**70,
        "negative": -(2**40),
        "lr": 0.1,
        "name": "ünï",
        "nothing": None,
        "flags": (True, False),
        "raw": b"\x00\xff",
        "size": base.shape,
        "dtype": torch.float32,
        "device": torch.device("cpu"),
        "mask": np.array([[True, False], [False, True]]),
        "best": np.float64(0.5),
    }


def note_torch(file, value):
    read_as = {"torch.int16": "int32", "torch.int8": "int32"}
    for name, tensor in value["model"].items():
        if tensor.dtype == torch.complex64:
            continue
        dtype = read_as.get(str(tensor.dtype), str(tensor.dtype).replace("torch.", ""))
        plain = tensor.detach()
        note(file, f"model.{name}", dtype, (plain.float() if plain.dtype == torch.bfloat16 else plain).numpy())
    note(file, "layers.0", "float32", np.ones(1))
    note(file, "layers.1.bias", "float32", np.full(2, 3.0))


def pytorch():
    value = torch_value()
    torch.save(value, OUT / "checkpoint.pt")
    torch.save(value, OUT / "checkpoint-legacy.pt", _use_new_zipfile_serialization=False)
    note_torch("checkpoint.pt", value)
    note_torch("checkpoint-legacy.pt", value)
    torch.save(torch.nn.Linear(3, 2).state_dict(), OUT / "linear.pt")


class Evil:
    """Its pickle asks the reader to run a command that would leave a file behind."""

    def __reduce__(self):
        return os.system, ("touch pickle-was-run",)


def malicious():
    torch.save({"weight": torch.zeros(2), "extra": Evil()}, OUT / "evil.pt")
    torch.save({"extra": Evil()}, OUT / "evil-legacy.pt", _use_new_zipfile_serialization=False)
    for protocol in (0, 2, 4):
        (OUT / f"evil-p{protocol}.pkl").write_bytes(pickle.dumps(Evil(), protocol))


def inert():
    """A checkpoint whose config is an object of a class that the reader does not have."""
    module = types.ModuleType("training.config")
    sys.modules["training"], sys.modules["training.config"] = types.ModuleType("training"), module

    class Config:
        def __init__(self):
            self.d_in = 768
            self.hook = "blocks.0.hook_resid_pre"

    Config.__module__, Config.__qualname__ = "training.config", "Config"
    module.Config = Config
    torch.save({"cfg": Config(), "state_dict": {"W": torch.arange(3.0)}}, OUT / "inert.pt")
    torch.save({"cfg": Config()}, OUT / "inert-p4.pt", pickle_protocol=4)


def pickles():
    """Plain data and numpy arrays in every protocol."""
    mask = np.array([[True, False, True], [False, True, True]])
    value = {
        "mask": mask,
        "layers": [np.arange(4, dtype="<f8"), np.asfortranarray(np.arange(6, dtype="<i8").reshape(2, 3))],
        "plain": [1, -1, 255, 256, 65535, 65536, -(2**31), 2**31, 2**63, -(2**100), 1.5, float("inf"), "a\n\\'é", b"\x80",
                  "", b"", True, False, None, (), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4), bytearray(b"xy")],
        "ordered": collections.OrderedDict([("z", 1), ("a", 2)]),
        1: "one",
        "scalar": np.int64(5),
        "truth": np.bool_(True),
    }
    value["shared"] = [value["plain"], value["plain"]]
    for protocol in range(6):
        (OUT / f"p{protocol}.pkl").write_bytes(pickle.dumps(value, protocol))
        note(f"p{protocol}.pkl", "mask", "bool", mask)
        note(f"p{protocol}.pkl", "layers.0", "float64", value["layers"][0])
        note(f"p{protocol}.pkl", "layers.1", "int64", value["layers"][1])
    (OUT / "refused-set.pkl").write_bytes(pickle.dumps({1, 2}, 4))
    (OUT / "refused-objects.pkl").write_bytes(pickle.dumps(np.array([{"a": 1}], dtype=object), 4))


def main():
    torch.manual_seed(0)
    OUT.mkdir(parents=True, exist_ok=True)
    for make in (safetensors, npy, pytorch, malicious, inert, pickles):
        make()
    (OUT / "expected.json").write_text(json.dumps(EXPECTED, sort_keys=True, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
