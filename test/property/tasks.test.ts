/** Laws of task generators over seeds, sizes and choices, under real tokenizers. */
import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { tasks } from "../../src/data/index.js";
import { arrangements, Digits, fieldsOf, fill, textOf } from "../../src/data/tasks/draft.js";
import type { TaskTokenizer } from "../../src/data/tasks.js";
import { openTokenizer } from "../../src/model/tokenizer/index.js";
import { dataFolder, oracle } from "../helpers/fixtures.js";
import { misalignments, textTasks, tokenizers } from "../unit/data/tasks-support.js";

let byName: ReadonlyMap<string, TaskTokenizer> = new Map();
beforeAll(async () => {
  byName = await tokenizers();
});

const names = ["words", "tiny", ...(dataFolder === undefined ? [] : ["GPT-NeoX"])];
const requests = fc.record({ seed: fc.integer(), n: fc.integer({ min: 1, max: 12 }) });

function tokenizer(name: string): TaskTokenizer {
  const found = byName.get(name);
  if (found === undefined) throw new Error(`no tokenizer ${name}`);
  return found;
}

describe.each(textTasks)("tasks.%s", (task) => {
  it.each(names)("makes n different pairs that align, the same ones again, under the tokenizer of %s", (name) => {
    fc.assert(
      fc.property(requests, (options) => {
        const pairs = tasks[task](tokenizer(name), options);
        expect(pairs.length).toBe(options.n);
        expect(misalignments(pairs, tokenizer(name))).toEqual([]);
        expect(new Set([...pairs].map(({ clean, corrupted }) => `${clean}|${corrupted}`)).size).toBe(options.n);
        expect([...tasks[task](tokenizer(name), options)]).toEqual([...pairs]);
      }),
      { numRuns: 6 },
    );
  });

  it("keeps what a filter keeps out in the other part", () => {
    fc.assert(
      fc.property(requests, ({ seed, n }) => {
        const known = tasks.lists[`${task}Templates`];
        const held = known[1] ?? "";
        const words = tasks.wordTokenizer();
        const training = tasks[task](words, { seed, n, filter: ({ template }) => template !== held });
        const test = tasks[task](words, { seed, n, filter: ({ template }) => template === held });
        const prompts = new Set(training.clean);
        expect(test.clean.some((prompt) => prompts.has(prompt))).toBe(false);
      }),
      { numRuns: 10 },
    );
  });
});

describe("tasks.ioi", () => {
  it("aligns for every corruption and order", () => {
    const choices = fc.record({
      seed: fc.integer(),
      corruption: fc.constantFrom("flip", "abc", "names"),
      orders: fc.constantFrom(["ABBA"] as const, ["BABA"] as const, ["BABA", "ABBA"] as const),
    });
    fc.assert(
      fc.property(choices, (options) => {
        const pairs = tasks.ioi(tokenizer("tiny"), { ...options, n: 6 });
        expect(misalignments(pairs, tokenizer("tiny"))).toEqual([]);
        expect(new Set(pairs.labels.map(({ order }) => order)).size).toBe(options.orders.length);
      }),
      { numRuns: 10 },
    );
  });
});

describe("a tokenizer that puts BOS in front by itself", () => {
  it.skipIf(dataFolder === undefined)("shifts every position by one", async () => {
    const stories = await openTokenizer(oracle("stories260k", "hf"));
    expect(stories.prependsBos).toBe(true);
    fc.assert(
      fc.property(requests, (options) => {
        const own = tasks.brackets(stories, options);
        expect(misalignments(own, stories)).toEqual([]);
        for (const { clean, cleanTokens, positions, labels } of own) {
          expect(cleanTokens[0]).toBe(stories.bosId);
          expect(stories.piece(cleanTokens[positions["open"] ?? -1] ?? -1)).toBe(labels["kind"]?.[0]);
          const without = tasks.brackets(stories, { ...options, prependBos: false });
          const same = [...without].find((pair) => pair.clean === clean);
          expect(same?.cleanTokens).toEqual(cleanTokens.slice(1));
          expect(same?.positions["open"]).toBe((positions["open"] ?? 0) - 1);
        }
      }),
      { numRuns: 6 },
    );
  });
});

describe("tasks.repeated", () => {
  it("is determined by what came before, alone: each prompt's continuation occurs once after its last token", () => {
    const options = fc.record({
      seed: fc.integer(),
      n: fc.integer({ min: 1, max: 10 }),
      length: fc.integer({ min: 2, max: 12 }),
      repeats: fc.integer({ min: 2, max: 4 }),
    });
    fc.assert(
      fc.property(options, fc.integer({ min: 20, max: 400 }), (choice, vocabulary) => {
        const pairs = tasks.repeated(vocabulary, choice);
        expect(pairs.length).toBe(choice.n);
        for (const { clean, corrupted, right, wrong } of pairs)
          for (const [prompt, answer] of [
            [clean, right[0]?.token],
            [corrupted, wrong[0]?.token],
          ] as const) {
            const last = prompt.at(-1);
            const followers = prompt.flatMap((id, at) =>
              id === last && at < prompt.length - 1 ? [prompt[at + 1]] : [],
            );
            expect(new Set(followers)).toEqual(new Set([answer]));
            expect(prompt.length).toBe(choice.length * choice.repeats - 1);
            expect(Math.max(...prompt)).toBeLessThan(vocabulary);
          }
      }),
    );
  });
});

describe("numbered spaces", () => {
  it("reach every arrangement once", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 6 }), fc.integer({ min: 1, max: 4 }), (size, count) => {
        fc.pre(count <= size);
        const items = Array.from({ length: size }, (_, i) => i);
        const total = arrangements(size, count);
        const found = Array.from({ length: total }, (_, index) => new Digits(index).pickDistinct(items, count).join());
        expect(new Set(found).size).toBe(total);
      }),
    );
  });
});

describe("templates", () => {
  it("filled in are the template with its fields replaced", () => {
    const field = fc.constantFrom("a", "b", "c");
    const piece = fc.oneof(
      fc.stringMatching(/^[ A-Za-z,.]{0,8}$/),
      field.map((name) => `{${name}}`),
      field.map((name) => ` {${name}}`),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 8 }), (pieces) => {
        const template = pieces.join("");
        const words = { a: "one", b: "two", c: "three" };
        const parts = fill(template, words, { a: "role" });
        const expected = template.replaceAll("{a}", "one").replaceAll("{b}", "two").replaceAll("{c}", "three");
        expect(textOf(parts)).toBe(expected);
        const slots = parts.filter((part) => typeof part !== "string");
        expect(slots.length).toBe(fieldsOf(template).filter((name) => name === "a").length);
        for (const slot of slots) expect(slot.text.trim()).toBe("one");
      }),
    );
  });
});
