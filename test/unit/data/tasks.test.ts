/** Each task: what it says, what is right, where things stand, and what differs. */
import { readFileSync } from "node:fs";
import { inspect } from "node:util";
import { beforeAll, describe, expect, it } from "vitest";
import { tasks } from "../../../src/data/index.js";
import type { TaskTokenizer } from "../../../src/data/tasks.js";
import { dataFolder, oracle } from "../../helpers/fixtures.js";
import { labelCounts, misalignments, piecesAt, textTasks, tokenizers } from "./tasks-support.js";

const words = tasks.wordTokenizer();
let byName: ReadonlyMap<string, TaskTokenizer> = new Map();
beforeAll(async () => {
  byName = await tokenizers();
});

function tokenizer(name: string): TaskTokenizer {
  const found = byName.get(name);
  if (found === undefined) throw new Error(`no tokenizer ${name}`);
  return found;
}

describe.each(textTasks)("every task over text: %s", (task) => {
  it.each(["words", "tiny", ...(dataFolder === undefined ? [] : ["GPT-NeoX"])])(
    "aligns, token by token, under the tokenizer of %s",
    (name) => {
      const pairs = tasks[task](tokenizer(name), { n: 20, seed: 3 });
      expect(pairs.length).toBe(20);
      expect(misalignments(pairs, tokenizer(name))).toEqual([]);
    },
  );

  it("gives equal pairs for equal seeds, and others for another seed", () => {
    const [first, again, other] = [5, 5, 6].map((seed) => tasks[task](words, { n: 16, seed }));
    expect([...(again ?? [])]).toEqual([...(first ?? [])]);
    expect(other?.clean).not.toEqual(first?.clean);
  });

  it("repeats no pair", () => {
    const pairs = tasks[task](words, { n: 200 });
    expect(new Set([...pairs].map(({ clean, corrupted }) => `${clean}|${corrupted}`)).size).toBe(200);
  });

  it("has columns that agree with its pairs", () => {
    const pairs = tasks[task](words, { n: 12 });
    for (const [i, pair] of [...pairs].entries()) {
      expect(pairs.pair(i)).toBe(pair);
      expect([pairs.clean[i], pairs.corrupted[i], pairs.labels[i]]).toEqual([pair.clean, pair.corrupted, pair.labels]);
      expect([pairs.cleanTokens[i], pairs.corruptedTokens[i]]).toEqual([pair.cleanTokens, pair.corruptedTokens]);
      expect([pairs.answers[i], pairs.wrongAnswers[i]]).toEqual([pair.right[0]?.text, pair.wrong[0]?.text]);
      expect(pairs.answerTokens[i]).toEqual(pair.right.map(({ token }) => token));
      expect(pairs.wrongAnswerTokens[i]).toEqual(pair.wrong.map(({ token }) => token));
      for (const [role, column] of Object.entries(pairs.positions)) expect(column[i]).toBe(pair.positions[role]);
      expect(pairs.text(i)).toBe(pair.text);
    }
  });

  it("keeps to the templates that are chosen, by number", () => {
    const pairs = tasks[task](words, { n: 12, templates: [1, 0] });
    const known = tasks.lists[`${task}Templates`];
    expect(Object.keys(labelCounts(pairs, "template")).sort()).toEqual([known[0], known[1]].sort());
  });
});

describe("tasks.ioi", () => {
  it("says the subject twice and the other name once, and that one is due", () => {
    for (const { clean, right, wrong, labels } of tasks.ioi(words)) {
      const counts = [labels["IO"], labels["S"]].map(
        (name) => clean.split(new RegExp(`\\b${name ?? "?"}\\b`)).length - 1,
      );
      expect(counts).toEqual([1, 2]);
      expect([right, wrong].map((list) => list.map(({ text }) => text))).toEqual([
        [` ${labels["IO"] ?? ""}`],
        [` ${labels["S"] ?? ""}`],
      ]);
    }
  });

  it("comes in both name orders, half and half, in any place of the list", () => {
    const pairs = tasks.ioi(words, { n: 64 });
    expect(labelCounts(pairs, "order")).toEqual({ ABBA: 32, BABA: 32 });
    expect(new Set(pairs.labels.slice(0, 10).map((labels) => labels["order"])).size).toBe(2);
    for (const { positions, labels } of pairs)
      expect((positions["IO"] ?? 0) < (positions["S1"] ?? 0)).toBe(labels["order"] === "ABBA");
  });

  it("names the positions", () => {
    const pairs = tasks.ioi(words, { n: 30 });
    const names = (label: string): string[] => pairs.labels.map((labels) => ` ${labels[label] ?? ""}`);
    expect(piecesAt(pairs, "IO", words)).toEqual(names("IO"));
    expect(piecesAt(pairs, "S1", words)).toEqual(names("S"));
    expect(piecesAt(pairs, "S2", words)).toEqual(names("S"));
    expect(pairs.positions["S1+1"]).toEqual(pairs.positions.S1.map((position) => position + 1));
    for (const [i, s2] of pairs.positions.S2.entries()) expect(s2).toBeGreaterThan(pairs.positions.S1[i] ?? Infinity);
    expect(new Set(piecesAt(pairs, "end", words))).toEqual(new Set([" to"]));
  });

  it("flips: the second subject becomes the other name, which makes the subject due", () => {
    const pairs = tasks.ioi(words, { n: 30, corruption: "flip" });
    for (const { changed, positions, corruptedTokens, cleanTokens } of pairs) {
      expect(changed).toEqual([positions["S2"]]);
      expect(corruptedTokens[positions["S2"] ?? -1]).toBe(cleanTokens[positions["IO"] ?? -1]);
    }
  });

  it("abc: the second subject becomes a third name", () => {
    const pairs = tasks.ioi(words, { n: 30, corruption: "abc" });
    for (const { changed, positions, corrupted, labels } of pairs) {
      expect(changed).toEqual([positions["S2"]]);
      expect(corrupted.split(` ${labels["C"] ?? "?"}`).length).toBe(2);
      expect([labels["IO"], labels["S"]]).not.toContain(labels["C"]);
    }
  });

  it("names: all three become other names, each its own", () => {
    const pairs = tasks.ioi(words, { n: 30, corruption: "names" });
    for (const { changed, positions, cleanTokens, corruptedTokens } of pairs) {
      const places = ["IO", "S1", "S2"].map((role) => positions[role] ?? -1);
      expect(changed).toEqual([...places].sort((a, b) => a - b));
      expect(new Set([...places.map((at) => cleanTokens[at]), ...places.map((at) => corruptedTokens[at])]).size).toBe(
        5,
      );
    }
  });

  it("takes names, orders, words and templates of the caller's", () => {
    const pairs = tasks.ioi(words, {
      n: 4,
      names: ["Ada", " Alan"],
      orders: ["BABA"],
      places: ["lab"],
      objects: ["note", "card"],
      templates: ["At the {place} {1} met {2}; {S2} had a {object} for"],
    });
    expect([...pairs.clean].sort()).toEqual([
      "At the lab Ada met Alan; Ada had a card for",
      "At the lab Ada met Alan; Ada had a note for",
      "At the lab Alan met Ada; Alan had a card for",
      "At the lab Alan met Ada; Alan had a note for",
    ]);
    expect(pairs.text(0)).toBe(`${pairs.clean[0] ?? ""}${pairs.answers[0] ?? ""}.`);
  });

  it("keeps names out that are held out, by names or by filter", () => {
    const [training, held] = [tasks.lists.names.slice(0, 40), tasks.lists.names.slice(40)];
    const used = (labels: Readonly<Record<string, string>>): (string | undefined)[] => [labels["IO"], labels["S"]];
    const pairs = tasks.ioi(words, { n: 50, names: training });
    expect(pairs.labels.flatMap(used).some((name) => held.includes(name ?? ""))).toBe(false);
    const isMixed = (labels: Readonly<Record<string, string>>): boolean =>
      held.includes(labels["IO"] ?? "") && training.includes(labels["S"] ?? "");
    const mixed = tasks.ioi(words, {
      n: 50,
      filter: isMixed,
    });
    expect(mixed.labels.every(isMixed)).toBe(true);
    expect(mixed.report.filtered).toBeGreaterThan(0);
    expect(String(mixed.report)).toContain("the filter left out");
  });
});

describe("tasks.greaterThan", () => {
  it("counts every later year of the century as right, and every other year as wrong", () => {
    for (const { right, wrong, labels } of tasks.greaterThan(words)) {
      const year = Number(labels["year"]);
      const numbers = (list: typeof right): number[] => list.map(({ text }) => Number(text)).sort((a, b) => a - b);
      expect(numbers(right)).toEqual(Array.from({ length: 99 - year }, (_, i) => year + 1 + i));
      expect(numbers(wrong)).toEqual(Array.from({ length: year + 1 }, (_, i) => i));
      expect(Number(wrong[0]?.text)).toBeGreaterThan(1);
    }
  });

  it("asks from 02 to 98, over centuries 11 to 19, and corrupts the year to 01", () => {
    const pairs = tasks.greaterThan(words, { n: 400 });
    const years = Object.keys(labelCounts(pairs, "year")).map(Number);
    expect(Math.min(...years)).toBeGreaterThanOrEqual(2);
    expect(Math.max(...years)).toBeLessThanOrEqual(98);
    expect(years.length).toBeGreaterThan(80);
    expect(Object.keys(labelCounts(pairs, "century")).sort().join(" ")).toBe("11 12 13 14 15 16 17 18 19");
    for (const { corrupted, labels, changed, positions } of pairs) {
      expect(corrupted).toContain(` ${labels["century"] ?? ""}01 `);
      expect(changed).toEqual([positions["YY"]]);
    }
  });

  it("names the positions: century, year, and the century again at the end", () => {
    const pairs = tasks.greaterThan(words, { n: 30 });
    const centuries = pairs.labels.map(({ century = "" }) => ` ${century}`);
    expect(piecesAt(pairs, "century", words)).toEqual(centuries);
    expect(piecesAt(pairs, "YY", words)).toEqual(pairs.labels.map(({ year }) => year));
    expect(piecesAt(pairs, "end", words)).toEqual(centuries);
  });

  it("takes centuries, years and nouns of the caller's", () => {
    const pairs = tasks.greaterThan(words, { n: 2, templates: [0], nouns: ["war"], centuries: [17], years: [32, 98] });
    expect([...pairs.clean].sort()).toEqual([
      "The war lasted from the year 1732 to the year 17",
      "The war lasted from the year 1798 to the year 17",
    ]);
  });

  it.skipIf(dataFolder === undefined)("reports years that GPT-NeoX does not cut in two", () => {
    const { report, labels } = tasks.greaterThan(tokenizer("GPT-NeoX"), { n: 10 });
    const isLast = (reason: string): boolean => reason === "no later year of its century is a single token";
    const last = report.skippedItems.filter(({ reason }) => isLast(reason)).map(({ item }) => item);
    const skipped = report.skippedItems.filter(({ reason }) => !isLast(reason)).map(({ item }) => item);
    const neox = tokenizer("GPT-NeoX");
    const years = Array.from({ length: 800 }, (_, i) => String(1100 + i));
    const split = years.filter((year) => {
      const pieces = [" year", ` ${year.slice(0, 2)}`, year.slice(2)];
      return neox.pieces(neox.encode(` year ${year}`).ids).join("|") === pieces.join("|");
    });
    expect(years.filter((year) => !skipped.includes(year))).toEqual(split);
    for (const item of last) expect(split.filter((year) => year.startsWith(item.slice(0, 2))).at(-1)).toBe(item);
    expect(report.skippedItems.find(({ item }) => item === "19")?.reason).toContain(" 1901");
    for (const { century = "", year = "" } of labels) expect(skipped).not.toContain(century + year);
  });
});

describe("tasks.capitals", () => {
  it("pairs two countries whose capitals differ, in one template", () => {
    const facts = new Map(tasks.lists.capitals);
    for (const { clean, corrupted, right, wrong, labels, changed, positions } of tasks.capitals(words)) {
      const { template = "", country = "", corruptedCountry = "" } = labels;
      expect(clean).toBe(template.replace("{country}", country));
      expect(corrupted).toBe(template.replace("{country}", corruptedCountry));
      expect(right[0]?.text).toBe(` ${facts.get(country) ?? "?"}`);
      expect(wrong[0]?.text).toBe(` ${facts.get(corruptedCountry) ?? "?"}`);
      expect(changed).toEqual([positions["country"]]);
    }
  });

  it.skipIf(dataFolder === undefined)("knows the capitals that an independent list knows", () => {
    const file = readFileSync(oracle("tasks", "relation_country_capital_city.json"), "utf8");
    const { samples } = JSON.parse(file) as { samples: readonly { subject: string; object: string }[] };
    const ours = new Map(tasks.lists.capitals);
    const both = samples.filter(({ subject }) => ours.has(subject));
    expect(both.length).toBeGreaterThan(10);
    for (const { subject, object } of both) expect([subject, ours.get(subject)]).toEqual([subject, object]);
  });

  it("has no country and no capital twice", () => {
    for (const column of [0, 1] as const)
      expect(new Set(tasks.lists.capitals.map((fact) => fact[column])).size).toBe(tasks.lists.capitals.length);
  });

  it("keeps to some countries, or takes facts of the caller's", () => {
    const some = tasks.capitals(words, { n: 6, countries: ["France", "Italy", "Spain"], templates: [0] });
    expect([...new Set(some.answers)].sort()).toEqual([" Madrid", " Paris", " Rome"]);
    const own = tasks.capitals(words, {
      n: 2,
      templates: [0],
      facts: [
        ["Atlantis", "Poseidonis"],
        ["Lilliput", "Mildendo"],
      ],
    });
    expect([...own.answers].sort()).toEqual([" Mildendo", " Poseidonis"]);
  });
});

describe("tasks.agreement", () => {
  const singular = new Set([" is", " was", " has"]);
  const plural = new Set([" are", " were", " have"]);

  it("makes the verb follow the subject's number, half of each", () => {
    const pairs = tasks.agreement(words, { n: 100 });
    expect(labelCounts(pairs, "number")).toEqual({ singular: 50, plural: 50 });
    for (const { right, wrong, labels } of pairs) {
      const [own, other] = labels["number"] === "singular" ? [singular, plural] : [plural, singular];
      expect(new Set(right.map(({ text }) => text))).toEqual(own);
      expect(new Set(wrong.map(({ text }) => text))).toEqual(other);
    }
  });

  it("changes the subject alone; the other noun is of either number", () => {
    const pairs = tasks.agreement(words, { n: 200 });
    const forms = new Map(tasks.lists.people);
    for (const { changed, positions, cleanTokens, corruptedTokens, labels } of pairs) {
      expect(changed).toEqual([positions["subject"]]);
      const [clean, corrupted] = [cleanTokens, corruptedTokens].map((ids) =>
        words.pieces(ids)[changed[0] ?? -1]?.trim(),
      );
      const both = [labels["subject"], forms.get(labels["subject"] ?? "")];
      expect([clean, corrupted]).toEqual(labels["number"] === "singular" ? both : both.reverse());
      expect(labels["second"]).not.toBe(labels["subject"]);
    }
    const seconds = labelCounts(pairs, "secondNumber");
    expect(seconds["singular"]).toBeGreaterThan(60);
    expect(seconds["plural"]).toBeGreaterThan(60);
  });

  it("knows the second noun's position where there is one", () => {
    const pairs = tasks.agreement(words, { n: 10, templates: ["The {subject} of the {thing}"] });
    for (const { positions, cleanTokens, labels } of pairs)
      expect(words.pieces(cleanTokens)[positions["thing"] ?? -1]).toContain(labels["second"]);
  });

  it("takes nouns and numbers of the caller's", () => {
    const pairs = tasks.agreement(words, { n: 1, subjects: [["mouse", "mice"]], templates: [0], numbers: ["plural"] });
    expect([pairs.clean, pairs.corrupted]).toEqual([["The mice"], ["The mouse"]]);
    expect(["The mice are here.", "The mice were there.", "The mice have gone."]).toContain(pairs.text(0));
  });

  it("leaves out templates for whose nouns a tokenizer has no tokens, and says so", () => {
    const pairs = tasks.agreement(tokenizer("small"), { n: 8 });
    expect(pairs.report.skippedItems.filter(({ kind }) => kind === "template").map(({ reason }) => reason)).toEqual([
      "too few usable things",
      "too few usable things",
      "too few usable things",
      "too few usable things",
    ]);
  });
});

describe("tasks.copying", () => {
  it("repeats the list, and asks for the word that came next", () => {
    for (const { text, labels, right, wrong, corrupted } of tasks.copying(words, { templates: [0] })) {
      const [, first = "", second = ""] = /^Words: (.*)\. Again: (.*)\.$/.exec(text) ?? [];
      expect(second).toBe(first);
      const list = first.split(", ");
      expect(new Set(list).size).toBe(4);
      expect(right[0]?.text).toBe(` ${list[Number(labels["place"])] ?? ""}`);
      expect(list).not.toContain(wrong[0]?.text.trim());
      expect(corrupted).toContain(wrong[0]?.text ?? "?");
    }
  });

  it("asks for every place but the first, equally often, and names the positions", () => {
    const pairs = tasks.copying(words, { n: 60, length: 4 });
    expect(labelCounts(pairs, "place")).toEqual({ 1: 20, 2: 20, 3: 20 });
    expect(piecesAt(pairs, "source", words)).toEqual(pairs.answers);
    expect(piecesAt(pairs, "previous", words)).toEqual(piecesAt(pairs, "cue", words));
    expect(pairs.positions.previous).toEqual(pairs.positions.source.map((position) => position - 2));
    expect(pairs.positions.cue).toEqual(pairs.positions.end.map((position) => position - 1));
    for (const { changed, positions } of pairs) expect(changed).toEqual([positions["source"]]);
  });
});

describe("tasks.brackets", () => {
  /** The bracket that closes the innermost open one, by a stack. */
  function closer(text: string): string | undefined {
    const open: string[] = [];
    for (const sign of text) {
      const at = "([{<".indexOf(sign);
      if (at >= 0) open.push(")]}>"[at] ?? "");
      else if (")]}>".includes(sign)) expect(open.pop()).toBe(sign);
    }
    return open.at(-1);
  }

  it("asks for the bracket that a stack machine says, clean and corrupted", () => {
    for (const { clean, corrupted, right, wrong, changed, positions } of tasks.brackets(words, { n: 200 })) {
      expect(closer(clean)).toBe(right[0]?.text);
      expect(closer(corrupted)).toBe(wrong[0]?.text);
      expect(changed).toEqual([positions["open"]]);
    }
  });

  it("uses each kind equally often, and its sentences close everything", () => {
    const pairs = tasks.brackets(words, { n: 40 });
    expect(labelCounts(pairs, "kind")).toEqual({ "()": 10, "[]": 10, "{}": 10, "<>": 10 });
    for (const { text } of pairs) expect(closer(text)).toBeUndefined();
  });

  it("keeps to two kinds", () => {
    const pairs = tasks.brackets(words, { n: 10, kinds: ["()", "[]"], templates: ["x{x(x"] });
    expect(pairs.clean.every((prompt) => /^[a-z][([][a-z][([][a-z]$/.test(prompt))).toBe(true);
  });
});

describe("tasks.repeated", () => {
  it("repeats a block of different tokens and asks for the last", () => {
    const pairs = tasks.repeated(100, { n: 50, length: 7 });
    for (const { clean, right, wrong, positions } of pairs) {
      const block = [...clean.slice(7), right[0]?.token ?? -1];
      expect(clean.slice(0, 7)).toEqual(block);
      expect(new Set(block).size).toBe(7);
      expect(block).not.toContain(wrong[0]?.token);
      expect(positions).toEqual({ source: 6, previous: 5, end: 12 });
    }
    expect(new Set(pairs.clean.flat()).size).toBeGreaterThan(90);
  });

  it("changes that token, and nothing else, wherever it stood", () => {
    for (const { clean, corrupted, changed, wrong } of tasks.repeated(50, { n: 20, length: 5, repeats: 3 })) {
      expect(changed).toEqual([4, 9]);
      expect(corrupted).toEqual(clean.map((id, at) => (changed.includes(at) ? wrong[0]?.token : id)));
    }
  });

  it("uses neither control tokens nor excluded ones, and puts BOS in front where asked", () => {
    const tiny = tokenizer("tiny");
    const exclude = Array.from({ length: 1000 }, (_, id) => id);
    const pairs = tasks.repeated(tiny, { n: 20, exclude, prependBos: true });
    for (const { clean, positions } of pairs) {
      expect(clean[0]).toBe(tiny.bosId);
      expect(clean.slice(1).every((id) => id >= 1000 && id !== tiny.bosId)).toBe(true);
      expect(clean[positions["previous"] ?? -1]).toBe(clean.at(-1));
    }
  });

  it("spells its sequences by pieces, and by ids where there is no tokenizer", () => {
    const pairs = tasks.repeated(tokenizer("tiny"), { n: 3, length: 3 });
    expect(pairs.text(0)).toBe(
      tokenizer("tiny")
        .pieces([...(pairs.clean[0] ?? []), pairs.answerTokens[0]?.[0] ?? 0])
        .join(""),
    );
    const plain = tasks.repeated(9, { n: 1, length: 2, repeats: 2 });
    expect(plain.text(0)).toBe(
      [...(plain.clean[0] ?? []), plain.answerTokens[0]?.[0]].map((id) => ` ${id ?? "?"}`).join(""),
    );
  });

  it("is the same for equal seeds, and may repeat tokens within a block on request", () => {
    const make = (seed: number) => tasks.repeated(3, { n: 20, length: 8, distinct: false, seed }).clean;
    expect(make(1)).toEqual(make(1));
    expect(make(1)).not.toEqual(make(2));
    expect(new Set(make(1).map((ids) => ids.join())).size).toBe(20);
  });
});

describe("tasks.words", () => {
  it("are all that a tokenizer needs: one that knows these, and single characters else, skips nothing", () => {
    const whole = new Set(tasks.words());
    expect(whole.size).toBe(tasks.words().length);
    const pieces: string[] = [];
    const idOf = (piece: string): number => {
      const known = pieces.indexOf(piece);
      return known >= 0 ? known : pieces.push(piece) - 1;
    };
    const cut = (piece: string): string[] => (whole.has(piece) ? [piece] : piece.split(""));
    const spelling: TaskTokenizer = {
      encode: (text) => ({ ids: words.pieces(words.encode(text).ids).flatMap(cut).map(idOf) }),
      pieces: (ids) => Array.from(ids, (id) => pieces[id] ?? "?"),
    };
    for (const task of textTasks) {
      const { report } = tasks[task](spelling, { n: 10 });
      expect([task, report.skippedItems, report.skippedPairs]).toEqual([task, [], []]);
    }
  });
});

describe("the result of a task", () => {
  it("prints an example, positions, labels and what was skipped", () => {
    const pairs = tasks.ioi(tokenizer("small"), { n: 4, templates: [0], places: ["house"], objects: ["book"] });
    const lines = inspect(pairs).split("\n");
    expect(lines[0]).toBe(
      "tasks.ioi: 4 pairs of 18 tokens, seed 0".replace("18", String(pairs.cleanTokens[0]?.length)),
    );
    expect(lines[1]).toBe(`  clean      ${JSON.stringify(pairs.clean[0])} → ${JSON.stringify(pairs.answers[0])}`);
    expect(lines[2]).toBe(
      `  corrupted  ${JSON.stringify(pairs.corrupted[0])} → ${JSON.stringify(pairs.wrongAnswers[0])}`,
    );
    expect(lines[3]).toMatch(/^ {2}positions {2}.*S1\+1 \d+, end \d+ \(of this pair\)$/);
    expect(lines[4]).toContain("order: ");
    expect(lines[5]).toMatch(/^ {2}skipped \d+ of 97 names \(" Adam": 2 tokens: " Ad", "am"; /);
  });

  it("has a report that prints itself", () => {
    expect(inspect(tasks.brackets(words, { n: 3 }).report)).toBe("tasks.brackets: 3 of 3 pairs, nothing skipped");
    expect(inspect(tasks.ioi(tokenizer("small"), { n: 3 }).report)).toMatch(
      /^tasks\.ioi: 3 of 3 pairs, some things skipped\n {2}skipped \d+ of 97 names /,
    );
  });

  it("is a dataset of sentences, or of ids", async () => {
    const pairs = tasks.capitals(words, { n: 5 });
    expect(await pairs.dataset().toArray()).toEqual(
      [...pairs].map(({ text, right, labels }) => ({ text, label: right[0]?.text, group: labels["template"] })),
    );
    expect(String(pairs.dataset())).toBe("Dataset: 5 sentences of tasks.capitals, seed 0");
    const repeated = tasks.repeated(20, { n: 2, length: 4 });
    const [first] = await repeated.dataset().toArray();
    expect(first?.tokens).toEqual([...(repeated.clean[0] ?? []), repeated.answerTokens[0]?.[0]]);
  });

  it("can be filtered by labels", () => {
    const pairs = tasks.ioi(words, { n: 20 });
    const half = pairs.filter(({ order }) => order === "ABBA");
    expect(half.length).toBe(10);
    expect(half.clean).toEqual(pairs.clean.filter((_, i) => pairs.labels[i]?.["order"] === "ABBA"));
    expect([half.report.made, half.report.filtered]).toEqual([10, 10]);
  });
});
