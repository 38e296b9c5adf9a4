"""python3 scripts/train-tiny COMMAND: fetch, tokenizer, train, evaluate, export, check-tokenizer. See README.md."""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))


def main():
    parser = argparse.ArgumentParser(prog="train-tiny", description="Makes the embedded model.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("fetch", help="install the corpus packages into .cache/corpus with npm")
    commands.add_parser("tokenizer", help="train the tokenizer and tokenise the corpus")
    command = commands.add_parser("train", help="train, or go on training, the checkpoint in .cache/train-tiny")
    command.add_argument("--steps", type=int, default=9000, help="length of the learning-rate schedule")
    command.add_argument("--minutes", type=float, default=1e9, help="time limit in all, resumed runs included")
    command.add_argument("--threads", type=int, default=1)
    command = commands.add_parser("evaluate", help="measure the exported model (float16 weights)")
    command.add_argument("--checkpoint", action="store_true", help="measure the float32 checkpoint instead")
    commands.add_parser("export", help="write fixtures/tiny from the checkpoint, measure it, write its card")
    commands.add_parser("check-tokenizer", help="compare the exported tokenizer with the JavaScript encoder")

    arguments = parser.parse_args()

    if arguments.command == "fetch":
        import corpus

        corpus.fetch()
    elif arguments.command == "tokenizer":
        import data

        for part in ("train", "dev", "test"):
            documents, n_bytes = data.load_split(part)
            n_tokens = sum(map(len, documents))
            print(f"{part}: {len(documents)} documents, {n_bytes:,} bytes, {n_tokens:,} tokens")
    elif arguments.command == "train":
        import train

        train.train(arguments.steps, arguments.minutes, arguments.threads)
    elif arguments.command == "evaluate":
        import evaluate

        evaluate.main(arguments.checkpoint)
    elif arguments.command == "export":
        import export

        export.main()
    elif arguments.command == "check-tokenizer":
        import check_tokenizer

        check_tokenizer.main()


if __name__ == "__main__":
    main()
