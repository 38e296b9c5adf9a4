/** What task generators refuse, and how they say it; and scores of logits. */
import { describe, expect, it } from "vitest";
import { InputError, ShapeError, TokenError } from "../../../src/core/index.js";
import { tasks } from "../../../src/data/index.js";
import type { TaskTokenizer } from "../../../src/data/tasks.js";
import { zeros } from "../../../src/tensor/index.js";
import { textTasks } from "./tasks-support.js";

const words = tasks.wordTokenizer();

/** A tokenizer of words that cuts those that a test names, at the place of the bar: `"Jona|than"`. */
function cutting(...cuts: readonly string[]): TaskTokenizer {
  const inner = tasks.wordTokenizer();
  const pieces: string[] = [];
  const idOf = (piece: string): number => {
    const known = pieces.indexOf(piece);
    return known >= 0 ? known : pieces.push(piece) - 1;
  };
  const cut = (piece: string): string[] => {
    const found = cuts.find((one) => one.replace("|", "") === piece.trim());
    if (found === undefined) return [piece];
    const [first = "", rest = ""] = found.split("|");
    return [piece.startsWith(" ") ? ` ${first}` : first, rest];
  };
  return {
    encode: (text) => ({ ids: inner.pieces(inner.encode(text).ids).flatMap(cut).map(idOf) }),
    pieces: (ids) => Array.from(ids, (id) => pieces[id] ?? "?"),
  };
}

function refusal(make: () => unknown): unknown {
  try {
    make();
  } catch (error) {
    return error;
  }
  throw new Error("nothing was refused");
}

/** Asserts class and whole message. */
function expectRefusal(make: () => unknown, type: new (...parts: never[]) => Error, message: string): void {
  const error = refusal(make);
  expect(error).toBeInstanceOf(type);
  expect((error as Error).message).toBe(message);
}

describe("numbers that every task takes", () => {
  it.each([...textTasks, "repeated"] as const)("tasks.%s refuses a count that is none", (task) => {
    for (const n of [0, -1, 1.5, Number.NaN])
      expectRefusal(
        () => tasks[task]({ ...words, vocabSize: 100 }, { n }),
        InputError,
        `tasks.${task}: n: got ${n}; expected a whole number of pairs, at least 1. Pass a number such as 64.`,
      );
  });

  it("refuses a seed that is none", () => {
    expectRefusal(
      () => tasks.ioi(words, { seed: 0.5 }),
      InputError,
      "tasks.ioi: seed: got 0.5; expected a safe integer. Pass a whole number such as 0, so that the same pairs come again.",
    );
  });
});

describe("what has no words", () => {
  it("says so of a model without a tokenizer, and names the task that needs none", () => {
    const model = {
      get tokenizer(): TaskTokenizer {
        const parts = { where: "model.tokenizer", got: "none", expected: "one", fix: "Pass token ids." };
        throw new InputError(parts);
      },
    };
    expectRefusal(
      () => tasks.capitals(model),
      InputError,
      "tasks.capitals: model: got a model without a tokenizer; expected a model that comes with one, or a tokenizer. " +
        "Use tasks.repeated, which needs a vocabulary only, or pass a tokenizer: tasks.wordTokenizer() keeps every word whole.",
    );
  });

  it("passes on what else a tokenizer throws", () => {
    const model = {
      get tokenizer(): TaskTokenizer {
        throw new RangeError("broken");
      },
    };
    expect(refusal(() => tasks.ioi(model))).toBeInstanceOf(RangeError);
  });
});

describe("choices that do not exist", () => {
  it("names the numbers of templates", () => {
    expectRefusal(
      () => tasks.capitals(words, { templates: [9] }),
      InputError,
      "tasks.capitals: templates: got the number 9; expected 0 to 5. tasks.lists holds them: " +
        '"The capital of {country} is", "The capital city of {country} is" and 4 more.',
    );
  });

  it("says which fields a template lacks, or has too many", () => {
    expectRefusal(
      () => tasks.ioi(words, { templates: ["{1} saw {2} and {2} at the {place}. {Bob} gave a {object} to"] }),
      InputError,
      'tasks.ioi: templates: got "{1} saw {2} and {2} at the {place}. {Bob} gave a {object} to", without {S2}, with a ' +
        "surplus {2}, with a surplus {Bob}; expected each of {1}, {2}, {S2}, {place}, {object} once. Write it as " +
        '"When {1} and {2} went to the {place}, {S2} gave a {object} to".',
    );
  });

  it("refuses empty lists and repetitions", () => {
    const fix = "Leave the option out for all that limpid brings.";
    expectRefusal(
      () => tasks.ioi(words, { names: [] }),
      InputError,
      `tasks.ioi: names: got an empty list; expected different names, at least one. ${fix}`,
    );
    expectRefusal(
      () => tasks.capitals(words, { countries: ["France", " France"] }),
      InputError,
      `tasks.capitals: countries: got "France" twice; expected different countries, at least one. ${fix}`,
    );
    expectRefusal(
      () => tasks.copying(words, { templates: [1, 1] }),
      InputError,
      `tasks.copying: templates: got "He said: {list}. She said: {again}" twice; expected different templates, at least one. ${fix}`,
    );
  });

  it("wants single words", () => {
    expectRefusal(
      () => tasks.copying(words, { words: ["dog", "hot dog"] }),
      InputError,
      'tasks.copying: words[1]: got "hot dog"; expected one word. Leave the others out.',
    );
  });

  it("lists the values of an option", () => {
    expectRefusal(
      () => tasks.ioi(words, { orders: ["ABAB" as "ABBA"] }),
      InputError,
      'tasks.ioi: orders: got "ABAB"; expected some of "ABBA", "BABA". Choose from the list. Nearest: "ABBA", "BABA".',
    );
    expectRefusal(
      () => tasks.ioi(words, { corruption: "swap" as "flip" }),
      InputError,
      'tasks.ioi: corruptions: got "swap"; expected some of "flip", "abc", "names". Choose from the list. ' +
        'Nearest: "flip", "abc", "names".',
    );
    expect(String(refusal(() => tasks.brackets(words, { templates: [99] })))).toContain(
      'tasks.brackets: templates: got "99"; expected some of "x(x", ',
    );
  });

  it("wants two-digit years", () => {
    expectRefusal(
      () => tasks.greaterThan(words, { years: [32, 1732] }),
      InputError,
      "tasks.greaterThan: years[1]: got 1732; expected a whole number from 2 to 98. Pass two digits of a year, such as 32.",
    );
    expectRefusal(
      () => tasks.greaterThan(words, { centuries: [9] }),
      InputError,
      "tasks.greaterThan: centuries[0]: got 9; expected a whole number from 10 to 99. Pass two digits of a year, such as 32.",
    );
  });

  it("wants countries that it knows the capital of", () => {
    const facts = [
      ["Atlantis", "Poseidonis"],
      ["Lilliput", "Mildendo"],
    ] as const;
    expectRefusal(
      () => tasks.capitals(words, { facts, countries: ["Atlantis", "Utopia"] }),
      InputError,
      'tasks.capitals: countries: got "Utopia"; expected some of "Atlantis", "Lilliput". Bring their capitals along: ' +
        '{ facts: [["Atlantis", "Poseidonis"]] }.',
    );
  });

  it("wants nouns whose number shows", () => {
    expectRefusal(
      () => tasks.agreement(words, { subjects: [["sheep", "sheep"]] }),
      InputError,
      'tasks.agreement: subjects: got "sheep" as singular and as plural; expected nouns whose number shows. ' +
        'Pass pairs such as ["boy", "boys"].',
    );
  });

  it("wants lists of two words at least", () => {
    expectRefusal(
      () => tasks.copying(words, { length: 1 }),
      InputError,
      "tasks.copying: length: got 1; expected a whole number of words, at least 2. " +
        "Pass a number such as 4: the first word of the second list is never asked for.",
    );
  });
});

describe("too few", () => {
  it("says which names are not single tokens, and what they fall into", () => {
    expectRefusal(
      () => tasks.ioi(cutting("Jona|than", "Mary|am"), { names: ["Jonathan", "Maryam", "Tom"] }),
      TokenError,
      'tasks.ioi: names: got 1 usable of 3; skipped 2 of 3 names (" Jonathan": 2 tokens: " Jona", "than"; ' +
        '" Maryam": 2 tokens: " Mary", "am"); expected at least 2, each a single token of this tokenizer in its place. ' +
        "Pass names that it keeps whole, or use another model.",
    );
  });

  it("says how many pairs there are, and what was skipped", () => {
    expectRefusal(
      () => tasks.capitals(cutting("Par|is"), { countries: ["France", "Italy", "Spain"], templates: [0], n: 8 }),
      TokenError,
      'tasks.capitals: got 2 different pairs; skipped 1 of 3 facts ("France: Paris": " Paris" is 2 tokens: " Par", "is"); ' +
        "expected 8 pairs whose words are single tokens of this tokenizer. Ask for { n: 2 }, or widen the words, templates " +
        "or filter that were given, with words that it keeps whole.",
    );
  });

  it("says how many pairs there are when all words are whole", () => {
    expectRefusal(
      () => tasks.agreement(words, { subjects: [["boy", "boys"]], templates: [0] }),
      InputError,
      "tasks.agreement: got 2 different pairs; expected 64 pairs whose words are single tokens of this tokenizer. " +
        "Ask for { n: 2 }, or widen the words, templates or filter that were given.",
    );
  });

  it("says how many the filter left out", () => {
    expectRefusal(
      () => tasks.agreement(words, { subjects: [["boy", "boys"]], templates: [0], filter: () => false }),
      InputError,
      "tasks.agreement: got no pair; the filter left out 2 pairs; expected 64 pairs whose words are single tokens of " +
        "this tokenizer. Widen the words, templates or filter that were given.",
    );
  });

  it("gives up on a filter that lets nothing of a large space through", () => {
    expect(String(refusal(() => tasks.brackets(words, { n: 1, kinds: ["()", "[]"], filter: () => false })))).toMatch(
      /^InputError: tasks\.brackets: got no pair; the filter left out \d+ pairs; /,
    );
  });

  it("reports pairs whose prompts do not align, by reason", () => {
    // Reads "John handed" as one word with a hyphen, which no check of single names can foresee.
    const merged: TaskTokenizer = {
      ...words,
      encode: (text, options) => words.encode(text.replace(/ John handed/g, " John-handed"), options),
    };
    const names = ["Mary", "John", "Anna"];
    const pairs = tasks.ioi(merged, { n: 12, names, templates: [0, 2] });
    expect(pairs.report.skippedPairs.length).toBeGreaterThan(0);
    for (const { clean, corrupted, reason } of pairs.report.skippedPairs) {
      expect(clean + corrupted).toContain(" John handed");
      expect(reason).toMatch(/^the tokens spell /);
    }
    expect(String(pairs)).toMatch(/skipped \d+ misaligned pairs \(\d+ of them: the tokens spell /);
  });

  it("says which brackets are not single tokens", () => {
    const merging: TaskTokenizer = { ...words, encode: (text) => words.encode(text.replace(/[[\]{}<>]/g, "$&$&")) };
    expect(String(refusal(() => tasks.brackets(merging)))).toMatch(
      /^TokenError: tasks\.brackets: kinds: got 1 usable of 4; skipped 3 of 4 kinds \("\[\]": "\[" is 2 tokens: "\[", "\["; /,
    );
  });

  it("says when no template is left", () => {
    const persons = [["boy", "boys"]] as const;
    expectRefusal(
      () => tasks.agreement(words, { persons, templates: [4] }),
      TokenError,
      'tasks.agreement: templates: got 0 usable of 1; skipped 1 of 1 templates ("The {subject} beside the {person}": too ' +
        "few usable persons); expected at least 1, each a single token of this tokenizer in its place. Pass templates that " +
        "it keeps whole, or use another model.",
    );
  });
});

describe("tasks.repeated", () => {
  it("wants enough tokens", () => {
    expectRefusal(
      () => tasks.repeated(10, { length: 8, exclude: [0, 1] }),
      InputError,
      "tasks.repeated: model: got 8 usable of 10 tokens; expected at least 9 different ones. " +
        "Make the blocks shorter, exclude less, or pass { distinct: false }.",
    );
  });

  it("wants a vocabulary", () => {
    expectRefusal(
      () => tasks.repeated(words),
      InputError,
      "tasks.repeated: model: got something without a vocabulary; expected a model, a tokenizer that knows its vocabSize, " +
        "or a number of tokens. Pass the model.",
    );
  });

  it("wants lengths of two and more", () => {
    const fix = "Pass a number such as 16 for length and 2 for repeats.";
    expectRefusal(
      () => tasks.repeated(10, { length: 1 }),
      InputError,
      `tasks.repeated: length: got 1; expected a whole number, at least 2. ${fix}`,
    );
    expectRefusal(
      () => tasks.repeated(10, { length: 2, repeats: 1.5 }),
      InputError,
      `tasks.repeated: repeats: got 1.5; expected a whole number, at least 2. ${fix}`,
    );
  });

  it("wants a BOS token where one is asked for", () => {
    expectRefusal(
      () => tasks.repeated(10, { length: 2, prependBos: true }),
      InputError,
      "tasks.repeated: prependBos: got true; expected a tokenizer with a BOS token; there is none. Leave prependBos out.",
    );
  });

  it("says when all different pairs are made", () => {
    expect(String(refusal(() => tasks.repeated(3, { length: 2, n: 10 })))).toBe(
      "InputError: tasks.repeated: got 6 different pairs; expected 10 pairs whose words are single tokens of this " +
        "tokenizer. Ask for { n: 6 }, or widen the words, templates or filter that were given.",
    );
  });
});

describe("results", () => {
  const pairs = tasks.capitals(words, { n: 4 });

  it("refuse a pair that does not exist", () => {
    expectRefusal(
      () => pairs.text(4),
      InputError,
      "tasks.capitals: pair: got 4; expected a whole number from 0 to 3. Ask for more pairs with { n } when they are made.",
    );
  });

  it("refuse a filter that keeps nothing", () => {
    expect(String(refusal(() => pairs.filter(() => false)))).toMatch(
      /^InputError: tasks\.capitals: filter: got a test that none of 4 pairs passed; expected at least one pair\. Labels look like \{"template":/,
    );
  });

  it("refuse logits of another shape", () => {
    const expected = `[batch=4, pos=1 or at least ${Math.max(...pairs.positions.end) + 1}, dVocabOut]`;
    for (const shape of [
      [3, 1, 50],
      [4, 2, 50],
      [4, 50],
    ]) {
      const axes = shape.length === 2 ? ["batch", "dVocabOut"] : ["batch", "pos", "dVocabOut"];
      const logits = zeros(shape, axes);
      expectRefusal(
        () => pairs.score(logits),
        ShapeError,
        `tasks.capitals: score: got [${shape.map((size, i) => `${axes[i] ?? ""}=${size}`).join(", ")}]; expected ${expected}. ` +
          'Pass (await model.run(pairs.clean, { logits: "last" })).logits.',
      );
    }
  });
});

describe("the tokenizer of words", () => {
  it("keeps words with their space, and cuts numbers in twos", () => {
    const { ids } = words.encode("The war of 1732, a(b)");
    expect(words.pieces(ids)).toEqual(["The", " war", " of", " 17", "32", ",", " a", "(", "b", ")"]);
  });

  it("refuses ids that it never gave out, and BOS", () => {
    expectRefusal(
      () => tasks.wordTokenizer().pieces([0]),
      TokenError,
      "tasks.wordTokenizer: ids: got 0; expected an id that it gave out, 0 to -1. Decode with the tokenizer that encoded.",
    );
    expectRefusal(
      () => tasks.ioi(words, { prependBos: true }),
      TokenError,
      "tasks.wordTokenizer: prependBos: got true; expected a tokenizer with a BOS token; this one has none. Leave prependBos out.",
    );
  });
});
