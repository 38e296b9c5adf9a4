/** One handler for each opcode of pickle protocols 0 to 5, under the names of CPython's `pickletools`. */
import { UnsupportedError } from "../core/index.js";
import { latin1Text } from "./latin1.js";
import type { PickleMachine } from "./pickle-machine.js";
import { fillDict } from "./pickle-machine.js";
import { parseDecimal, parseLong, quotedBytes, rawUnicodeEscape, textOrBytes, utf8Text } from "./pickle-text.js";
import type { PickleValue } from "./pickle-values.js";

type Handler = (machine: PickleMachine) => void;

const code = (char: string): number => char.charCodeAt(0);

const constants: readonly (readonly [number, Handler])[] = [
  [code("N"), (m) => m.push(null)],
  [0x88, (m) => m.push(true)],
  [0x89, (m) => m.push(false)],
  [code("I"), (m) => m.push(parseIntLine(m))],
  [code("J"), (m) => m.push(m.reader.int32())],
  [code("K"), (m) => m.push(m.reader.uint8())],
  [code("M"), (m) => m.push(m.reader.uint16())],
  [code("L"), (m) => m.push(parseDecimal(latin1Text(m.reader.line()).replace(/L$/, ""), m))],
  [0x8a, (m) => m.push(parseLong(m.reader.take(m.reader.uint8()), m))],
  [0x8b, (m) => m.push(parseLong(m.reader.take(m.reader.int32()), m))],
  [code("F"), (m) => m.push(parseFloatLine(m))],
  [code("G"), (m) => m.push(m.reader.float64())],
];

const texts: readonly (readonly [number, Handler])[] = [
  [code("S"), (m) => m.push(textOrBytes(quotedBytes(m.reader.line(), m)))],
  [code("T"), (m) => m.push(textOrBytes(m.reader.take(m.reader.int32())))],
  [code("U"), (m) => m.push(textOrBytes(m.reader.take(m.reader.uint8())))],
  [code("V"), (m) => m.push(rawUnicodeEscape(m.reader.line()))],
  [code("X"), (m) => m.push(utf8Text(m.reader.take(m.reader.uint32()), m))],
  [0x8c, (m) => m.push(utf8Text(m.reader.take(m.reader.uint8()), m))],
  [0x8d, (m) => m.push(utf8Text(m.reader.take(m.reader.length64()), m))],
  [code("B"), (m) => m.push(m.reader.take(m.reader.uint32()).slice())],
  [code("C"), (m) => m.push(m.reader.take(m.reader.uint8()).slice())],
  [0x8e, (m) => m.push(m.reader.take(m.reader.length64()).slice())],
  [0x96, (m) => m.push(m.reader.take(m.reader.length64()).slice())],
];

const containers: readonly (readonly [number, Handler])[] = [
  [code("("), (m) => m.mark()],
  [code("]"), (m) => m.push([])],
  [code("l"), (m) => m.push(m.popMark())],
  [code("a"), (m) => m.append([m.pop()])],
  [code("e"), (m) => m.append(m.popMark())],
  [code(")"), (m) => m.push([])],
  [code("t"), (m) => m.push(m.popMark())],
  [0x85, (m) => m.push(m.popTuple(1))],
  [0x86, (m) => m.push(m.popTuple(2))],
  [0x87, (m) => m.push(m.popTuple(3))],
  [code("}"), (m) => m.push(new Map())],
  [code("d"), (m) => m.push(dictOf(m, m.popMark()))],
  [code("s"), (m) => m.setItems(m.popTuple(2))],
  [code("u"), (m) => m.setItems(m.popMark())],
];

const stackAndMemo: readonly (readonly [number, Handler])[] = [
  [code("0"), (m) => m.drop()],
  [code("1"), (m) => void m.popMark()],
  [code("2"), (m) => m.push(m.top())],
  [code("g"), (m) => m.recall(indexLine(m))],
  [code("h"), (m) => m.recall(m.reader.uint8())],
  [code("j"), (m) => m.recall(m.reader.uint32())],
  [code("p"), (m) => m.memoize(indexLine(m))],
  [code("q"), (m) => m.memoize(m.reader.uint8())],
  [code("r"), (m) => m.memoize(m.reader.uint32())],
  [0x94, (m) => m.memoize()],
  [0x80, (m) => readProtocol(m)],
  [0x95, (m) => void m.reader.length64()],
];

const calls: readonly (readonly [number, Handler])[] = [
  [code("c"), (m) => m.pushGlobal(utf8Text(m.reader.line(), m), utf8Text(m.reader.line(), m))],
  [0x93, (m) => stackGlobal(m)],
  [code("R"), (m) => callWith(m, m.popTuple(2))],
  [0x81, (m) => callWith(m, m.popTuple(2))],
  [0x92, (m) => callWithKeywords(m)],
  [code("b"), (m) => m.build(m.pop())],
  [code("i"), (m) => instance(m)],
  [code("o"), (m) => object(m)],
  [code("P"), (m) => m.persistent(latin1Text(m.reader.line()))],
  [code("Q"), (m) => m.persistent(m.pop())],
];

const refused: readonly (readonly [number, Handler])[] = [
  ...[0x82, 0x83, 0x84].map((op): readonly [number, Handler] => [op, (m) => refuse(m, "a copyreg extension")]),
  ...[0x8f, 0x90, 0x91].map((op): readonly [number, Handler] => [op, (m) => refuse(m, "a set")]),
  ...[0x97, 0x98].map((op): readonly [number, Handler] => [op, (m) => refuse(m, "an out-of-band buffer")]),
];

/** Opcode -> handler; STOP is the loop's own. */
export const pickleOps: ReadonlyMap<number, Handler> = new Map([
  ...constants,
  ...texts,
  ...containers,
  ...stackAndMemo,
  ...calls,
  ...refused,
]);

function refuse(machine: PickleMachine, what: string): never {
  throw machine.forbidden(what);
}

function readProtocol(machine: PickleMachine): void {
  const protocol = machine.reader.uint8();
  if (protocol <= 5) return;
  throw new UnsupportedError({
    where: "unpickle",
    got: `pickle protocol ${protocol}`,
    expected: "protocol 0 to 5",
    fix: "Save the file with an older protocol, or as .safetensors.",
  });
}

function indexLine(machine: PickleMachine): number {
  return Number(latin1Text(machine.reader.line()));
}

function parseIntLine(machine: PickleMachine): PickleValue {
  const text = latin1Text(machine.reader.line());
  if (text === "00") return false;
  if (text === "01") return true;
  return parseDecimal(text, machine);
}

function parseFloatLine(machine: PickleMachine): number {
  const text = latin1Text(machine.reader.line());
  const special: Readonly<Record<string, number>> = { inf: Infinity, "-inf": -Infinity, nan: NaN };
  const value = special[text] ?? (text.trim() === "" ? NaN : Number(text));
  if (Number.isNaN(value) && text !== "nan") throw machine.damaged(`the float ${JSON.stringify(text)}`);
  return value;
}

function dictOf(machine: PickleMachine, items: readonly PickleValue[]): ReadonlyMap<PickleValue, PickleValue> {
  const dict = new Map<PickleValue, PickleValue>();
  fillDict(dict, items, () => machine.damaged("a dict key without a value"));
  return dict;
}

function stackGlobal(machine: PickleMachine): void {
  const [module, name] = machine.popTuple(2);
  machine.pushGlobal(machine.text(module ?? null), machine.text(name ?? null));
}

function callWith(machine: PickleMachine, [callable, args]: readonly PickleValue[]): void {
  machine.call(callable ?? null, args ?? null);
}

function callWithKeywords(machine: PickleMachine): void {
  const [callable, args, keywords] = machine.popTuple(3);
  if (!(keywords instanceof Map) || keywords.size > 0) throw machine.damaged("a call with keyword arguments");
  machine.call(callable ?? null, args ?? null);
}

function instance(machine: PickleMachine): void {
  const module = utf8Text(machine.reader.line(), machine);
  machine.pushGlobal(module, utf8Text(machine.reader.line(), machine));
  const callable = machine.pop();
  machine.call(callable, machine.popMark());
}

function object(machine: PickleMachine): void {
  const [callable, ...args] = machine.popMark();
  machine.call(callable ?? null, args);
}
