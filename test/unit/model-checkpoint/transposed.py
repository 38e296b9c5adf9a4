"""Writes transposed.bin: run with Debian's python3-torch 1.13 in this folder."""
import torch

matrix = torch.arange(6, dtype=torch.float32).reshape(2, 3)
torch.save({"w": matrix.t(), "v": torch.tensor([0.5, -2.0])}, "transposed.bin")
