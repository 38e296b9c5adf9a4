/** Laws of schedules, row orders and checkpoints' configurations. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { differences, plain } from "../../src/train/configuration.js";
import { matchNames } from "../../src/train/glob.js";
import { rowOrder, schedule } from "../../src/train/index.js";

const seed = fc.integer({ min: 0, max: 1e6 });

describe("rowOrder", () => {
  test("any epoch of any data holds every row once, whatever the batch", () => {
    const sizes = fc.record({ rows: fc.integer({ min: 1, max: 60 }), batch: fc.integer({ min: 1, max: 70 }), seed });
    fc.assert(
      fc.property(sizes, fc.integer({ min: 0, max: 5 }), (options, epoch) => {
        const order = rowOrder(options);
        const { rows, batch } = options;
        const first = epoch * rows;
        const places = Array.from({ length: rows }, (_, i) => first + i);
        const found = places.map((place) => order(Math.floor(place / batch))[place % batch] ?? -1);
        expect(found.sort((a, b) => a - b)).toEqual(Array.from({ length: rows }, (_, i) => i));
      }),
    );
  });
});

describe("schedules", () => {
  const decay = fc
    .record({
      steps: fc.integer({ min: 2, max: 500 }),
      final: fc.double({ min: 0, max: 1, noNaN: true }),
      part: fc.double({ min: 0, max: 0.99, noNaN: true }),
    })
    .map(({ steps, final, part }) => ({ steps, final, hold: Math.floor(part * steps) }));

  test.each(["linear", "cosine"] as const)("%s never rises, and stays between its ends", (kind) => {
    fc.assert(
      fc.property(decay, fc.integer({ min: 0, max: 600 }), (options, step) => {
        const { at } = schedule[kind](options);
        expect(at(step)).toBeLessThanOrEqual(1 + 1e-12);
        expect(at(step)).toBeGreaterThanOrEqual(options.final - 1e-12);
        expect(at(step + 1)).toBeLessThanOrEqual(at(step) + 1e-12);
        if (step <= options.hold) expect(at(step)).toBe(1);
      }),
    );
  });

  test("a rise never falls and never exceeds what follows", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 300 }), fc.boolean(), (steps, isFromZero) => {
        const { at } = schedule.warmup(steps, schedule.constant(), { isFromZero });
        for (let step = 0; step < steps; step++) expect(at(step)).toBeLessThan(at(step + 1));
        expect(at(steps)).toBe(1);
      }),
      { numRuns: 30 },
    );
  });
});

describe("configurations", () => {
  const json = fc.dictionary(
    fc.stringMatching(/^[a-z]{1,4}$/),
    fc.oneof(fc.integer(), fc.boolean(), fc.array(fc.integer(), { maxLength: 3 }), fc.constant(null)),
    { maxKeys: 5 },
  );

  test("equal ones do not differ after a trip through a file, and the first change is found", () => {
    fc.assert(
      fc.property(json, json, (a, b) => {
        const saved = plain(JSON.parse(JSON.stringify(plain(a))));
        expect(differences(saved, plain(a))).toEqual([]);
        const isSame = JSON.stringify(plain(a)) === JSON.stringify(plain(b));
        expect(differences(plain(a), plain(b)).length === 0).toBe(isSame);
      }),
    );
  });
});

describe("globs", () => {
  const name = fc.array(fc.stringMatching(/^[A-Za-z_0-9]{1,4}$/), { minLength: 1, maxLength: 4 });

  test("a name matches itself, its parts as stars, and ** across parts", () => {
    fc.assert(
      fc.property(name, name, (parts, other) => {
        const [own, foreign] = [parts.join("."), `${other.join(".")}.x`];
        const names = [own, `${own}.more`, `before.${own}`, foreign];
        expect(matchNames(own, [own])).toEqual([own]);
        expect(matchNames(parts.map(() => "*").join("."), [own, `${own}.more`])).toEqual(
          parts.length === 1 ? [own, `${own}.more`] : [own],
        );
        expect(matchNames(`**${own}`, names)).toEqual(expect.arrayContaining([own, `before.${own}`]));
        expect(matchNames("*", names)).toEqual(names);
      }),
    );
  });
});
