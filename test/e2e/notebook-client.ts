/** A Jupyter client on loopback: starts the committed kernel by itself and talks its protocol, many requests at once. */
import { type ChildProcess, spawn } from "node:child_process";
import { createHmac, randomUUID } from "node:crypto";
import { writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { Dealer, Subscriber } from "zeromq";
import { root } from "./notebook.js";

/** A message that the kernel published about a request. */
export interface KernelMessage {
  readonly type: string;
  readonly content: Readonly<Record<string, unknown>>;
}

/** What became of one execute request. */
export interface Executed {
  readonly reply: Readonly<Record<string, unknown>>;
  /** Everything published about it, in order, until it was idle. */
  readonly messages: readonly KernelMessage[];
}

/** Fields of an execute request. */
export type ExecuteFields = Readonly<Partial<Record<"stop_on_error" | "silent" | "store_history", boolean>>>;

interface Pending {
  readonly messages: KernelMessage[];
  reply?: Readonly<Record<string, unknown>>;
  readonly resolve: (done: Executed) => void;
}

const key = "limpid-test";
const delimiter = "<IDS|MSG>";

async function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0));
    });
  });
}

/** One running kernel. */
export class KernelClient {
  /** Every published message in the order of arrival: its type, the code that it is about, its content. */
  readonly log: (KernelMessage & { readonly code: string })[] = [];
  readonly #process: ChildProcess;
  readonly #shell = new Dealer();
  readonly #iopub = new Subscriber();
  readonly #pending = new Map<string, Pending>();
  readonly #codes = new Map<string, string>();

  private constructor(child: ChildProcess) {
    this.#process = child;
  }

  /** Starts the kernel in `folder` and waits until it answers. */
  static async start(folder: string): Promise<KernelClient> {
    const [shell = 0, iopub = 0, ...others] = await Promise.all(Array.from({ length: 5 }, freePort));
    const [control, stdin, hb] = others;
    const connection = {
      transport: "tcp",
      ip: "127.0.0.1",
      key,
      ...{ shell_port: shell, iopub_port: iopub, control_port: control, stdin_port: stdin, hb_port: hb },
    };
    const file = join(folder, "connection.json");
    writeFileSync(file, JSON.stringify(connection));
    const launcher = join(root, "jupyter/kernels/tslab/launch.cjs");
    const client = new KernelClient(
      spawn(process.execPath, [launcher, file], { cwd: folder, stdio: ["ignore", "inherit", "inherit"] }),
    );
    client.#iopub.connect(`tcp://127.0.0.1:${iopub}`);
    client.#iopub.subscribe();
    client.#shell.connect(`tcp://127.0.0.1:${shell}`);
    void client.#receive(client.#iopub, (id, message) => client.#published(id, message));
    void client.#receive(client.#shell, (id, message) => client.#replied(id, message));
    // Published messages are lost until the subscription has reached the kernel.
    while (!client.log.some(({ type }) => type === "stream")) {
      await Promise.race([client.execute("console.log(0)"), new Promise((resolve) => setTimeout(resolve, 1000))]);
    }
    client.log.length = 0;
    return client;
  }

  /** Sends one cell without waiting for those before it. */
  async execute(code: string, fields: ExecuteFields = {}): Promise<Executed> {
    return new Promise((resolve) => {
      const id = this.#send("execute_request", {
        code,
        silent: false,
        ["store_history"]: true,
        ["user_expressions"]: {},
        ["allow_stdin"]: false,
        ["stop_on_error"]: true,
        ...fields,
      });
      this.#codes.set(id, code);
      this.#pending.set(id, { messages: [], resolve });
    });
  }

  /** Sends a request of another kind. */
  ask(type: string, content: Readonly<Record<string, unknown>>): void {
    this.#codes.set(this.#send(type, content), type);
  }

  /** Interrupts as Jupyter does. */
  interrupt(): void {
    this.#process.kill("SIGINT");
  }

  /** Resolves when the kernel has published a message of which `isIt` is true. */
  async published(isIt: (message: KernelMessage) => boolean): Promise<void> {
    while (!this.log.some(isIt)) await new Promise((resolve) => setTimeout(resolve, 5));
  }

  /** Ends the kernel. */
  async close(): Promise<void> {
    const ended = new Promise((resolve) => this.#process.once("exit", resolve));
    this.#process.kill("SIGKILL");
    await ended;
    this.#shell.close();
    this.#iopub.close();
  }

  #send(type: string, content: Readonly<Record<string, unknown>>): string {
    const id = randomUUID();
    const date = new Date().toISOString();
    const header = { ["msg_id"]: id, ["msg_type"]: type, session: key, username: "test", version: "5.3", date };
    const parts = [header, {}, {}, content].map((part) => JSON.stringify(part));
    const signature = createHmac("sha256", key).update(parts.join("")).digest("hex");
    void this.#shell.send([delimiter, signature, ...parts]);
    return id;
  }

  async #receive(socket: Dealer | Subscriber, handle: (id: string, message: KernelMessage) => void): Promise<void> {
    for await (const frames of socket) {
      const texts = frames.map(String);
      const [, , header = "", parent = "", , content = ""] = texts.slice(texts.indexOf(delimiter));
      const { msg_type: type } = JSON.parse(header) as Record<string, string>;
      const { msg_id: id } = JSON.parse(parent) as Record<string, string>;
      handle(id ?? "", { type: type ?? "", content: JSON.parse(content) as KernelMessage["content"] });
    }
  }

  #published(id: string, message: KernelMessage): void {
    this.log.push({ ...message, code: this.#codes.get(id) ?? "" });
    this.#pending.get(id)?.messages.push(message);
    this.#finish(id);
  }

  #replied(id: string, { content }: KernelMessage): void {
    const pending = this.#pending.get(id);
    if (pending !== undefined) pending.reply = content;
    this.#finish(id);
  }

  #finish(id: string): void {
    const pending = this.#pending.get(id);
    const isIdle = pending?.messages.some(({ content }) => content["execution_state"] === "idle");
    if (pending?.reply === undefined || isIdle !== true) return;
    this.#pending.delete(id);
    pending.resolve({ reply: pending.reply, messages: pending.messages });
  }
}

/** What a request's cell wrote to stdout. */
export function stdoutOf({ messages }: Executed): string {
  return messages.map(({ content }) => (content["name"] === "stdout" ? String(content["text"]) : "")).join("");
}
