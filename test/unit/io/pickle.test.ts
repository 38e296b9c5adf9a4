import { existsSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { isPickleDict, isPickleList, openPickle, type PickleValue, unpickle } from "../../../src/io/index.js";
import { expectedOf, expectTensor, fixture, refusal } from "./support.js";

/** A pickle from its opcodes: strings give their characters, numbers their bytes. */
function pickle(...parts: readonly (string | number)[]): Uint8Array {
  return Uint8Array.from(
    parts.flatMap((part) => (typeof part === "number" ? [part] : Array.from(part, (c) => c.charCodeAt(0)))),
  );
}

function valueOf(...parts: readonly (string | number)[]): unknown {
  return unpickle(pickle(...parts), { where: "x" }).value;
}

function pairsOf(value: PickleValue | undefined): unknown {
  return isPickleDict(value) ? [...value] : value;
}

const onlyData = "expected only tensors, arrays, numbers, strings, lists and dicts";
const nothingRun =
  "Nothing was run. If you trust the file, save its weights as .safetensors in Python, or name plain classes in the option inert.";

describe("pickles of Python", () => {
  it.each([0, 1, 2, 3, 4, 5])("gives the same values in protocol %i", async (protocol) => {
    const file = `p${protocol}.pkl`;
    const { value, arrays } = await openPickle(fixture(file));
    if (!isPickleDict(value)) throw new Error("not a dict");
    expect(value.get("plain")).toEqual([
      1,
      -1,
      255,
      256,
      65535,
      65536,
      -(2 ** 31),
      2 ** 31,
      2n ** 63n,
      -(2n ** 100n),
      1.5,
      Infinity,
      "a\n\\'é",
      Uint8Array.of(0x80),
      "",
      new Uint8Array(),
      true,
      false,
      null,
      [],
      [1],
      [1, 2],
      [1, 2, 3],
      [1, 2, 3, 4],
      Uint8Array.of(0x78, 0x79),
    ]);
    expect(pairsOf(value.get("ordered"))).toEqual([
      ["z", 1],
      ["a", 2],
    ]);
    expect(value.get(1)).toBe("one");
    expect(value.get("scalar")).toBe(5);
    expect(value.get("truth")).toBe(true);
    const shared = value.get("shared");
    const [first, second] = isPickleList(shared) ? shared : [];
    expect(first).toBeDefined();
    expect(first).toBe(second);
    expect([...arrays.keys()]).toEqual(["mask", "layers.0", "layers.1"]);
    for (const [name, tensor] of arrays) expectTensor(tensor, expectedOf(file)[name]);
  });

  it("reads what old Pythons wrote", () => {
    expect(valueOf("S'a\\x41\\n\\101\\'\\\\'\n.")).toBe("aA\nA'\\");
    expect(valueOf("U", 2, 0xff, 0x00, ".")).toEqual(Uint8Array.of(255, 0));
    expect(valueOf("Vx\\u00e9\\U0001F600\n.")).toBe("xé😀");
    expect(valueOf("L-12345678901234567890L\n.")).toBe(-12345678901234567890n);
    expect(valueOf("I01\n.")).toBe(true);
    expect(valueOf("Fnan\n.")).toBeNaN();
    expect(valueOf("(I1\nI2\nd.")).toEqual(new Map([[1, 2]]));
    expect(valueOf("(lI1\na.")).toEqual([1]);
    expect(valueOf("I1\n(I2\n1.")).toBe(1);
    expect(valueOf("I1\nI2\n0.")).toBe(1);
  });

  it("says where a pickle ends, so that several can follow each other", () => {
    expect(unpickle(pickle("K", 7, ".", "K", 8, "."), { where: "x", start: 3 })).toEqual({ value: 8, end: 6 });
  });
});

describe("what a pickle may not do", () => {
  it.each([
    ["evil-p0.pkl", "posix.system"],
    ["evil-p2.pkl", "posix.system"],
    ["evil-p4.pkl", "posix.system"],
  ])("refuses to run a command (%s)", async (file, callable) => {
    const error = await refusal(openPickle(fixture(file)), "FORMAT");
    expect(error.message).toBe(`${fixture(file)}: got a pickle that calls ${callable}; ${onlyData}. ${nothingRun}`);
    expect(existsSync("pickle-was-run")).toBe(false);
  });

  it.each([
    ["GLOBAL and REDUCE", pickle("cos\nsystem\n(S'touch pickle-was-run'\ntR.")],
    ["STACK_GLOBAL", pickle(0x80, 4, 0x8c, 2, "os", 0x8c, 6, "system", 0x93, ".")],
    ["INST", pickle("(S'touch pickle-was-run'\nios\nsystem\n.")],
    ["OBJ", pickle("(cos\nsystem\nS'touch pickle-was-run'\no.")],
    ["NEWOBJ", pickle("cos\nsystem\n)", 0x81, ".")],
  ])("refuses os.system through %s", async (_, bytes) => {
    const error = await refusal(() => unpickle(bytes, { where: "x" }), "FORMAT");
    expect(error.message).toBe(`x: got a pickle that calls os.system; ${onlyData}. ${nothingRun}`);
    expect(existsSync("pickle-was-run")).toBe(false);
  });

  it.each([
    ["builtins.eval", pickle("cbuiltins\neval\n.")],
    ["builtins.getattr", pickle(0x8c, 8, "builtins", 0x8c, 7, "getattr", 0x93, ".")],
    ["a copyreg extension", pickle(0x82, 1, ".")],
    ["a set", pickle(0x8f, ".")],
    ["an out-of-band buffer", pickle(0x97, ".")],
    ["a persistent id (an object kept outside the pickle)", pickle("Pkey\n.")],
  ])("names %s", async (name, bytes) => {
    const error = await refusal(() => unpickle(bytes, { where: "x" }), "FORMAT");
    expect(error.got).toBe(`a pickle that calls ${name}`);
  });

  it("does not let a value pass for an allowed callable", async () => {
    await refusal(() => unpickle(pickle("S'os.system'\n)R."), { where: "x" }), "FORMAT");
    await refusal(() => unpickle(pickle("}(S'kind'\nS'global'\nu)R."), { where: "x" }), "FORMAT");
    await refusal(
      () => unpickle(pickle("cnumpy\nndarray\n)R."), { where: "x", globals: new Map([["numpy.ndarray", undefined]]) }),
      "FORMAT",
    );
  });

  it.each([
    ["refused-set.pkl", "a pickle that calls a set"],
    ["refused-objects.pkl", 'numpy element type "|O8"'],
  ])("refuses %s", async (file, got) => {
    await expect(openPickle(fixture(file))).rejects.toMatchObject({ got });
  });
});

describe("damaged pickles", () => {
  it.each([
    ["an operation on an empty stack", pickle("a.")],
    ["an operation on an empty stack", pickle(".")],
    ["an operation on an empty stack", pickle("K", 1, 0x87, ".")],
    ["a mark that was never set", pickle("t.")],
    ["memo 3, which was never stored", pickle("h", 3, ".")],
    ["the unknown opcode 0xff", pickle(0xff, ".")],
    ["a call of something that is not callable", pickle("K", 1, ")R.")],
    ["a call of collections.OrderedDict without a tuple of arguments", pickle("ccollections\nOrderedDict\nNR.")],
    ["a string that is not UTF-8", pickle("X", 1, 0, 0, 0, 0xff, ".")],
    ["a string without its quotes", pickle("Sa\n.")],
    ['the integer "1x"', pickle("I1x\n.")],
    ['the float "x"', pickle("Fx\n.")],
    ["an integer of 2000 bytes", Uint8Array.from([0x8b, 0xd0, 7, 0, 0, ...new Uint8Array(2000), 0x2e])],
    ["a length of -1", pickle("T", 255, 255, 255, 255, ".")],
    ["APPEND to something that is not a list", pickle("K", 1, "K", 2, "a.")],
    ["SETITEM on something that is not a dict", pickle("]K", 1, "K", 2, "s.")],
    ["a dict key without a value", pickle("}(K", 1, "u.")],
    ["BUILD on a value that takes no state", pickle("]}b.")],
    ["a module or name that is not text", pickle("K", 1, "K", 2, 0x93, ".")],
    ["a call with keyword arguments", pickle("K", 1, ")K", 1, 0x92, ".")],
  ])("names %s", async (got, bytes) => {
    const error = await refusal(() => unpickle(bytes, { where: "x" }), "FORMAT");
    expect(error.message).toMatch(
      /^x: (byte \d+: )?got .*; expected a well-formed pickle\. The file is damaged; get it again\.$/s,
    );
    expect(error.got).toBe(got);
  });

  it("says that a pickle is cut short, at every length", async () => {
    const whole = pickle(0x80, 2, "}X", 1, 0, 0, 0, "aK", 1, "s.");
    for (let length = 0; length < whole.length; length++) {
      const error = await refusal(() => unpickle(whole.subarray(0, length), { where: "x" }), "FORMAT");
      expect(error.message).toBe(
        `x: got a pickle that ends at byte ${length}, before its STOP; expected a whole pickle. ` +
          "The file is truncated; get it again.",
      );
    }
  });

  it("refuses a protocol of the future", async () => {
    const error = await refusal(() => unpickle(pickle(0x80, 6, "."), { where: "x" }), "UNSUPPORTED");
    expect(error.got).toBe("pickle protocol 6");
  });

  it("does not allocate what a short pickle promises", async () => {
    await refusal(() => unpickle(pickle(0x8e, 0, 0, 0, 0, 0, 0, 0, 0x7f, "."), { where: "x" }), "FORMAT");
    await refusal(() => unpickle(pickle("X", 255, 255, 255, 255, "."), { where: "x" }), "FORMAT");
  });
});
