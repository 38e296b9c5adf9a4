"""Masks as the release of "Bigram Subnetworks" has them: a pickled dict of numpy booleans by names of Hugging Face's tensors.

/usr/bin/python3 -m scripts.reference.make_released_mask   (writes fixtures/masks/released-pythia.pkl)

Kept is what `(7 r + 3 c + l) % 5 < 2` says of row r, column c and layer l; the tensors are those of the small GPT-NeoX.
"""
import pickle
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
LAYERS, WIDTH, NEURONS = 2, 18, 17


def kept(rows, columns, layer):
    r, c = np.indices((rows, columns))
    return (7 * r + 3 * c + layer) % 5 < 2


def main():
    masks = {}
    for layer in range(LAYERS):
        prefix = f"gpt_neox.layers.{layer}."
        masks[prefix + "attention.query_key_value.weight"] = kept(3 * WIDTH, WIDTH, layer)
        masks[prefix + "attention.dense.weight"] = kept(WIDTH, WIDTH, layer)
        masks[prefix + "mlp.dense_h_to_4h.weight"] = kept(NEURONS, WIDTH, layer)
        masks[prefix + "mlp.dense_4h_to_h.weight"] = kept(WIDTH, NEURONS, layer)
    path = ROOT / "fixtures" / "masks" / "released-pythia.pkl"
    path.write_bytes(pickle.dumps(masks, protocol=4))


if __name__ == "__main__":
    main()
