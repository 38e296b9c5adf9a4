import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { fixture } from "../../helpers/fixtures.js";
import { limpid, scratchFolder } from "./helpers.js";

const commands = ["info", "run", "capture", "generate", "verify", "notebook"];
const gpt2 = fixture("architectures", "gpt2");
const folder = scratchFolder();
const out = join(folder, "never.safetensors");

describe("help", () => {
  it.each(commands)("of %s goes to stdout, has an example and exit code 0", async (command) => {
    const end = await limpid([command, "--help"]);
    expect(end).toMatchObject({ code: 0, err: "" });
    expect(end.out).toContain(`Usage: limpid ${command}`);
    expect(end.out).toMatch(new RegExp(`^ {2}limpid ${command}`, "m"));
  });

  it("of the program names every command, the exit codes and an example", async () => {
    const end = await limpid(["--help"]);
    expect(end).toMatchObject({ code: 0, err: "" });
    for (const word of [...commands, "Exit codes", "Example"]) expect(end.out).toContain(word);
  });

  it("is also what `help COMMAND` prints", async () => {
    expect(await limpid(["help", "run"])).toEqual(await limpid(["run", "--help"]));
  });

  it("prints the version of the package", async () => {
    expect(await limpid(["--version"])).toMatchObject({
      code: 0,
      out: expect.stringMatching(/^\d+\.\d+\.\d+\n$/) as string,
    });
  });
});

describe("wrong usage has exit code 2 and one message on stderr", () => {
  it.each([
    ["no command", [], "Usage: limpid"],
    ["an unknown command", ["inspect"], "unknown command 'inspect'"],
    ["a missing model", ["info"], "missing required argument 'model'"],
    ["an unknown option", ["info", "tiny", "--jsn"], "Did you mean --json?"],
    ["a count that is no integer", ["run", "tiny", "hi", "--top", "x"], "Expected an integer of 1 or more."],
    ["a probability above 1", ["generate", "tiny", "hi", "--top-p", "2"], "Expected a number from 0 to 1."],
    ["an unknown precision", ["run", "tiny", "hi", "--precision", "int8"], "Allowed choices are float32, float64."],
    [
      "a capture without hooks",
      ["capture", "tiny", "--prompt", "hi", "--out", out],
      "required option '--hooks <globs>'",
    ],
    [
      "a capture without a file",
      ["capture", "tiny", "--prompt", "hi", "--hooks", "*"],
      "required option '--out <file>'",
    ],
    [
      "a prompt and tokens",
      ["capture", "tiny", "--prompt", "hi", "--tokens", "1", "--hooks", "*", "--out", out],
      "limpid: capture: got --prompt and --tokens; expected exactly one of --prompt, --tokens, --tokens-file.",
    ],
    [
      "nothing to capture from",
      ["capture", "tiny", "--hooks", "*", "--out", out],
      "limpid: capture: got nothing to run; expected exactly one of --prompt, --tokens, --tokens-file.",
    ],
    [
      "a mask for text",
      ["capture", "tiny", "--prompt", "hi", "--attention-mask-file", "m.json", "--hooks", "*", "--out", out],
      "limpid: --attention-mask-file: got a mask for --prompt; expected --tokens or --tokens-file beside it.",
    ],
    [
      "tokens that are no numbers",
      ["run", "tiny", "--tokens", "1,two"],
      'limpid: --tokens: got "1,two"; expected token ids separated by commas, such as 1,2,3.',
    ],
    [
      "an empty hook name",
      ["capture", "tiny", "--prompt", "hi", "--hooks", "pattern,", "--out", out],
      'limpid: --hooks: got "pattern,"; expected names or globs separated by commas.',
    ],
  ])("for %s", async (_, args, message) => {
    const end = await limpid(args);
    expect(end).toMatchObject({ code: 2, out: "" });
    expect(end.err).toContain(message);
  });
});

describe("work that fails has exit code 1 and one line without a stack", () => {
  it.each([
    ["an unknown model", ["info", "./nowhere", "--offline"], /openCheckpoint: "\.\/nowhere": got no folder/],
    [
      "an unknown hook",
      ["capture", gpt2, "--tokens", "1,2", "--hooks", "blocks.0.hook_resid_pst", "--out", out],
      /got "blocks\.0\.hook_resid_pst".*nearest: blocks\.0\.hook_resid_post/,
    ],
    [
      "a glob that matches nothing",
      ["capture", gpt2, "--tokens", "1,2", "--hooks", "blocks.9.*", "--out", out],
      /"blocks\.9\.\*", which matches nothing/,
    ],
    ["a missing tokens file", ["run", gpt2, "--tokens-file", "/nowhere/rows.json"], /\/nowhere\/rows\.json/],
    ["a token out of range", ["run", gpt2, "--tokens", "1,99"], /token id 99; expected an integer from 0 to 28/],
    ["text for a model without a tokenizer", ["run", gpt2, "hello"], /got text, for a model without a tokenizer/],
    [
      "a folder as the file",
      ["capture", gpt2, "--tokens", "1", "--hooks", "*", "--out", folder],
      /--out: got the folder .*; expected a file name/,
    ],
    [
      "a file in no folder",
      ["capture", gpt2, "--tokens", "1", "--hooks", "*", "--out", join(folder, "a/b")],
      /--out: got .*in a folder that does not exist/,
    ],
    [
      "a notebook folder that is none",
      ["notebook", join(folder, "none")],
      /limpid notebook: DIR: got .*, which is no folder/,
    ],
    [
      "results beyond the memory limit",
      ["capture", gpt2, "--tokens", "1,2", "--hooks", "*", "--out", out, "--memory-limit", "0.000001"],
      /expected at most 1\.00 kB/,
    ],
  ])("for %s", async (_, args, message) => {
    const end = await limpid(args);
    expect(end).toMatchObject({ code: 1, out: "" });
    expect(end.err).toMatch(message);
    expect(end.err).toMatch(/^limpid: [^\n]*\n$/);
  });

  it("adds the stack with LIMPID_DEBUG=1", async () => {
    const end = await limpid(["info", "./nowhere", "--offline"], { env: { LIMPID_DEBUG: "1" } });
    expect(end.err).toMatch(/\n {4}at /);
  });

  it("stops with code 130 when its signal is aborted", async () => {
    const end = await limpid(["run", gpt2, "--tokens", "1,2"], { signal: AbortSignal.abort() });
    expect(end).toEqual({ code: 130, out: "", err: "limpid: stopped; nothing was left half written\n" });
  });
});
