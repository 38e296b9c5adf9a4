/** Chat messages through a model's own template. */
import { Template } from "@huggingface/jinja";
import { formatList, InputError, UnsupportedError } from "../../core/index.js";
import type { TokenizerFiles } from "./files.js";
import type { Shield } from "./special-text.js";

/** One message of a chat; templates may read further keys (`tool_calls`, `name`). */
export interface ChatMessage {
  /** `"system"`, `"user"`, `"assistant"`, `"tool"`: what the template knows. */
  readonly role: string;
  /** Text, or parts such as `{ type: "text", text }`. */
  readonly content: unknown;
  readonly [key: string]: unknown;
}

/** Options of `Tokenizer.chat`. */
export interface ChatOptions {
  /** Ends with the opening of the assistant's turn. Default `true`, since a question wants an answer. */
  readonly addGenerationPrompt?: boolean;
  /** Tool descriptions as JSON schemas, handed to the template. */
  readonly tools?: readonly unknown[];
  /** Which of several templates; default `default` (`tool_use` when tools are given and the model has one). */
  readonly template?: string;
  /** More variables for the template, such as `date_string` or `enable_thinking`. */
  readonly variables?: Readonly<Record<string, unknown>>;
}

/** Renders `messages` to the text that the model was trained on; control tokens are spelled out in it. */
export function renderChat(files: TokenizerFiles, messages: readonly ChatMessage[], options: ChatOptions): string {
  if (messages.length === 0) {
    const fix = 'Pass at least one, such as { role: "user", content: "Hello" }.';
    throw new InputError({ where: "tokenizer.chat: messages", got: "no messages", expected: "one or more", fix });
  }
  const source = chooseTemplate(files, options);
  try {
    return new Template(source).render({
      ...Object.fromEntries([...files.roles].map(([role, token]) => [`${role}_token`, token])),
      ...options.variables,
      messages,
      tools: options.tools ?? null,
      add_generation_prompt: options.addGenerationPrompt ?? true,
    });
  } catch (cause) {
    throw refused(cause);
  }
}

/** Returns copies of messages and options whose strings spell no control token. */
export function shieldChat(
  shield: Shield,
  messages: readonly ChatMessage[],
  options: ChatOptions,
): { messages: readonly ChatMessage[]; options: ChatOptions } {
  const { tools, variables } = options;
  return {
    messages: messages.map((message) => ({
      ...shield.record(message),
      role: shield.text(message.role),
      content: shield.data(message.content),
    })),
    options: {
      ...options,
      ...(tools === undefined ? {} : { tools: tools.map(shield.data) }),
      ...(variables === undefined ? {} : { variables: shield.record(variables) }),
    },
  };
}

function refused(cause: unknown): InputError {
  return new InputError(
    {
      where: "tokenizer.chat: messages",
      got: `a refusal by the model's chat template (${cause instanceof Error ? cause.message : String(cause)})`,
      expected: "messages that this template accepts",
      fix: "Check the roles and their order; print the template with tokenizer.chatTemplate().",
    },
    { cause },
  );
}

/** Returns the template's source. */
export function chooseTemplate(files: TokenizerFiles, options: ChatOptions): string {
  const { templates } = files;
  const { template: name = options.tools !== undefined && templates.has("tool_use") ? "tool_use" : "default" } =
    options;
  const source = templates.get(name);
  if (source !== undefined) return source;
  if (templates.size === 0) throw noTemplate(files.folder);
  const expected = `one of ${formatList([...templates.keys()])}`;
  const fix = "Name one of those as `template`.";
  throw new InputError({ where: "tokenizer.chat: template", got: JSON.stringify(name), expected, fix });
}

function noTemplate(folder: string): UnsupportedError {
  return new UnsupportedError({
    where: "tokenizer.chat",
    got: `a model without a chat template (${folder})`,
    expected: "`chat_template` in tokenizer_config.json, or chat_template.jinja",
    fix: "It was not trained on chats: pass the prompt as a string.",
  });
}
