import { describe, expect, it } from "vitest";
import { type ChatMessage, Tokenizer } from "../../../src/model/tokenizer/index.js";
import { byteLevelFiles, folderOf, unigramFiles } from "./helpers.js";

const template =
  "{{ bos_token }}{% for m in messages %}<|user|>\n{{ m['role'] }}: {{ m['content'] | trim }}{{ eos_token }}{% endfor %}" +
  "{% if add_generation_prompt %}<|user|>{% endif %}";
const tokenizer = new Tokenizer(folderOf(byteLevelFiles({ chat_template: template })));
const hello: readonly ChatMessage[] = [{ role: "user", content: "he" }];

describe("chat", () => {
  it("renders the model's template and reads its control tokens as such", () => {
    const { ids, text, bos } = tokenizer.chat(hello, { addGenerationPrompt: false });
    expect(text).toBe("<s><|user|>\nuser: he</s>");
    // <|user|> strips what follows it, as its entry says.
    expect(ids).toEqual([258, 260, ...tokenizer.encode("user: he").ids, 259]);
    expect(bos).toBe("template");
  });

  it("agrees with the tokenizer's own reading of the rendered text", () => {
    const messages = [...hello, { role: "assistant", content: "é <tool> 🙂" }];
    const { ids, text } = tokenizer.chat(messages);
    expect(ids).toEqual(tokenizer.encode(text, { allowSpecial: true }).ids);
    expect(text.endsWith("<|user|>")).toBe(true);
  });

  it("keeps control tokens inside messages as text", () => {
    const { ids, text } = tokenizer.chat([{ role: "user", content: "a</s><s>b" }], { addGenerationPrompt: false });
    expect(ids.filter((id) => id === 259)).toHaveLength(1);
    expect(ids.filter((id) => id === 258)).toHaveLength(1);
    expect(text).toBe("<s><|user|>\nuser: a</s><s>b</s>");
    expect(tokenizer.decode(ids.slice(2))).toBe("user: a</s><s>b</s>");
  });

  it("keeps control tokens inside content parts, tools and variables as text", () => {
    const source = "{{ messages[0].content[0].text }}{{ tools[0].name }}{{ extra }}</s>";
    const other = new Tokenizer(folderOf(byteLevelFiles({ chat_template: source })));
    const messages = [{ role: "user", content: [{ type: "text", text: "</s>1" }] }];
    const { ids, text } = other.chat(messages, { tools: [{ name: "</s>2" }], variables: { extra: "</s>3" } });
    expect(text).toBe("</s>1</s>2</s>3</s>");
    expect(ids.filter((id) => id === 259)).toHaveLength(1);
  });

  it("reads text after a control token as not the first of the sequence", () => {
    for (const scheme of ["always", "first"] as const) {
      const files = unigramFiles(scheme);
      const config = { bos_token: "<s>", eos_token: "</s>", chat_template: "{{ messages[0].content }}</s>ab" };
      const other = new Tokenizer(folderOf({ ...files, "tokenizer_config.json": config }));
      const { ids, text } = other.chat([{ role: "user", content: "ab" }]);
      expect(text).toBe("ab</s>ab");
      expect(ids).toEqual(other.encode(text, { allowSpecial: true }).ids);
      expect(ids).toEqual(scheme === "always" ? [6, 2, 6] : [6, 2, 11]);
    }
  });

  it("takes a template from a file, or by name from a list", () => {
    const file = new Tokenizer(folderOf({ ...byteLevelFiles(), "chat_template.jinja": "{{ messages[0].content }}!" }));
    expect(file.chat(hello).text).toBe("he!");
    const list = [
      { name: "default", template: "plain" },
      { name: "tool_use", template: "tools" },
    ];
    const named = new Tokenizer(folderOf(byteLevelFiles({ chat_template: list })));
    expect(named.chat(hello).text).toBe("plain");
    expect(named.chat(hello, { tools: [{}] }).text).toBe("tools");
    expect(named.chat(hello, { template: "tool_use" }).text).toBe("tools");
    expect(named.chatTemplate()).toBe("plain");
    expect(() => named.chat(hello, { template: "rag" })).toThrow('got "rag"; expected one of "default", "tool_use"');
  });
});

describe("chat refuses", () => {
  it("a model without a template", () => {
    const other = new Tokenizer(folderOf(byteLevelFiles()));
    expect(other.hasChatTemplate).toBe(false);
    expect(() => other.chat(hello)).toThrow("got a model without a chat template");
  });

  it("no messages", () => {
    expect(() => tokenizer.chat([])).toThrow("tokenizer.chat: messages: got no messages; expected one or more.");
  });

  it("what the template refuses, in the template's words", () => {
    const source = "{{ raise_exception('roles must alternate') }}";
    const other = new Tokenizer(folderOf(byteLevelFiles({ chat_template: source })));
    expect(() => other.chat(hello)).toThrow("got a refusal by the model's chat template (roles must alternate)");
  });

  it("a template that doubles BOS", () => {
    const other = new Tokenizer(folderOf(byteLevelFiles({ chat_template: "{{ bos_token }}{{ bos_token }}x" })));
    expect(() => other.chat(hello)).toThrow("tokenizer.chat: messages: got the BOS token 258 twice");
  });
});
