import { hkdfSync } from "node:crypto";
import { seal, unseal } from "./secret-key.ts";
import type { Store } from "./store.ts";

/** The tokens that a job was given, encrypted: its next life must know them to hide them, and to end them. */
export type KeptTokens = {
  /** The oldest first. What another key encrypted is left out: those tokens end by themselves. */
  read(execution: string): Promise<string[]>;
  add(execution: string, token: string): Promise<void>;
  forget(execution: string): Promise<void>;
};

/** @param secret What the key is derived from; the same in each life. */
export function keptTokens(notes: Store["notes"], secret: string): KeptTokens {
  const key = Buffer.from(hkdfSync("sha256", secret, "", "berth job tokens", 32));
  const noteOf = (execution: string) => `tokens:${execution}`;
  const sealed = async (execution: string) => {
    const note = await notes.get(noteOf(execution));
    return note === undefined ? [] : note.split(" ");
  };

  return {
    async read(execution) {
      const tokens = (await sealed(execution)).map((text) =>
        unseal(key, Buffer.from(text, "base64"), execution),
      );
      return tokens.filter((token) => token !== undefined);
    },
    async add(execution, token) {
      const next = seal(key, token, execution).toString("base64");
      await notes.set(noteOf(execution), [...(await sealed(execution)), next].join(" "));
    },
    forget: (execution) => notes.remove(noteOf(execution)),
  };
}
