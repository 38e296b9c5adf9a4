"""Compares this encoder with the JavaScript one that the toolkit uses, on held-out text and on hostile strings.

Both must give the same ids, and decoding must give the text back.
"""

import json
import random
import re
import subprocess

import corpus
import data
from paths import FIXTURE, REPO, WORK

SCRIPT = """
import { readFileSync } from "node:fs";
import { Tokenizer } from "@huggingface/tokenizers";
const [folder, cases] = process.argv.slice(2);
const read = (path) => JSON.parse(readFileSync(path, "utf8"));
const tokenizer = new Tokenizer(read(`${folder}/tokenizer.json`), read(`${folder}/tokenizer_config.json`));
let bad = 0;
for (const { text, ids } of read(cases)) {
  const encoded = tokenizer.encode(text).ids;
  const same = encoded.length === ids.length && encoded.every((id, index) => id === ids[index]);
  const back = ids.length === 0 ? "" : tokenizer.decode(encoded);
  if (!same || back !== text) {
    bad += 1;
    console.log(JSON.stringify({ text, expected: ids, encoded, back }));
  }
}
process.exitCode = bad === 0 ? 0 : 1;
"""

HOSTILE = [
    "",
    " ",
    "\n",
    "Hello  world \n\n  x\t\ty ",
    "na\u00efve caf\u00e9 \u2014 \u201cquoted\u201d \u5317\u4eac \U0001f389 \u00bd \u00b2",
    "I'll we've don't it's THEY'RE",
    " 1862 and 17 99",
    "a\u00a0b",
    "<|im_start|> is text",
]


def cases(n_sentences=1500, n_random=300):
    """Returns texts: held-out sentences, hostile strings and random Unicode."""
    rng = random.Random(0)
    sentences = [part for text in corpus.split()["test"] for part in re.split(r"(?<=[.!?]) ", text)]
    rng.shuffle(sentences)
    blocks = [(32, 127), (160, 0x250), (0x370, 0x1000), (0x4E00, 0x5000), (9, 11)]
    noise = [
        "".join(chr(rng.randrange(*rng.choice(blocks))) for _ in range(rng.randrange(1, 30))) for _ in range(n_random)
    ]
    return sentences[:n_sentences] + HOSTILE + noise


def main():
    tokenizer = data.load_tokenizer()
    texts = cases()
    encoded = [{"text": text, "ids": tokenizer.encode(text)} for text in texts]
    if any(tokenizer.decode(case["ids"]) != case["text"] for case in encoded):
        raise SystemExit("decode(encode(text)) is not the text")
    path = WORK / "tokenizer-cases.json"
    path.write_text(json.dumps(encoded), "utf8")
    command = ["node", "--input-type=module", "-", str(FIXTURE), str(path)]
    done = subprocess.run(command, input=SCRIPT, text=True, cwd=REPO)
    print(f"{len(texts)} texts: {'the same ids in both' if done.returncode == 0 else 'DIFFERENT'}")
    raise SystemExit(done.returncode)
