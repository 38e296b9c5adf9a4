"""Where things are, and the one import from the neighbouring reference package."""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
REPO = HERE.parents[1]
CACHE = REPO / ".cache"
WORK = CACHE / "train-tiny"
FIXTURE = REPO / "fixtures" / "tiny"

sys.path.insert(0, str(HERE.parent))
