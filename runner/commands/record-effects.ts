import type { CommandEffects, MatchersToRemove } from "./command-effects.ts";

/** One effect of a command that a process printed; plain JSON, so that it can be kept with a checkpoint. */
export type RecordedEffect =
  | {
      readonly do: "setOutput" | "saveState" | "setEnv";
      readonly name: string;
      readonly value: string;
    }
  | { readonly do: "addPath" | "addMask" | "addMatchers"; readonly value: string }
  | { readonly do: "removeMatchers"; readonly which: MatchersToRemove }
  | { readonly do: "echo"; readonly on: boolean }
  | { readonly do: "fail" };

/** Remembers effects, so that a process which comes back to the job can have them again without the output. */
export type EffectRecorder = {
  readonly effects: CommandEffects;
  readonly recorded: readonly RecordedEffect[];
  setEcho(on: boolean): void;
};

/** Characters that the recorded effects of one process may take as JSON; as much again for its masks. */
const LIMIT_CHARACTERS = 8 << 20;

/**
 * Passes effects on and remembers them. They throw an Error with words for the workflow's author, and do nothing, when a
 * process has set more than fits into `limitCharacters`; masks and failures never do.
 */
export function recordEffects(
  effects: CommandEffects & { setEcho(on: boolean): void },
  limitCharacters: number = LIMIT_CHARACTERS,
): EffectRecorder {
  const recorded: RecordedEffect[] = [];
  let characters = 0;
  let maskCharacters = 0;

  function remember(effect: RecordedEffect): void {
    const size = JSON.stringify(effect).length;
    if (characters + size > limitCharacters) {
      throw new Error(
        `One process may set at most ${limitCharacters / 1024}k by commands in its output. Write long values to files.`,
      );
    }
    characters += size;
    recorded.push(effect);
  }

  return {
    recorded,
    setEcho(on) {
      remember({ do: "echo", on });
      effects.setEcho(on);
    },
    effects: {
      setOutput(name, value) {
        remember({ do: "setOutput", name, value });
        effects.setOutput(name, value);
      },
      saveState(name, value) {
        remember({ do: "saveState", name, value });
        effects.saveState(name, value);
      },
      setEnv(name, value) {
        remember({ do: "setEnv", name, value });
        effects.setEnv(name, value);
      },
      addPath(directory) {
        remember({ do: "addPath", value: directory });
        effects.addPath(directory);
      },
      addMask(value) {
        effects.addMask(value);
        // Beyond the limit the masker hides every line, here and when this much is replayed.
        maskCharacters += value.length;
        if (maskCharacters - value.length <= limitCharacters)
          recorded.push({ do: "addMask", value });
      },
      addMatchers(file, fail) {
        remember({ do: "addMatchers", value: file });
        effects.addMatchers(file, fail);
      },
      removeMatchers(which, fail) {
        remember({ do: "removeMatchers", which });
        effects.removeMatchers(which, fail);
      },
      fail() {
        // One is enough, and a process can fail often.
        if (!recorded.some((effect) => effect.do === "fail")) recorded.push({ do: "fail" });
        effects.fail();
      },
    },
  };
}

/** Applies what an earlier life recorded. Nothing is printed. */
export function replayEffects(
  recorded: readonly RecordedEffect[],
  effects: CommandEffects & { setEcho(on: boolean): void },
): void {
  for (const effect of recorded) replayEffect(effect, effects);
}

function replayEffect(
  effect: RecordedEffect,
  effects: CommandEffects & { setEcho(on: boolean): void },
): void {
  switch (effect.do) {
    case "setOutput":
    case "saveState":
    case "setEnv":
      effects[effect.do](effect.name, effect.value);
      break;
    case "addPath":
    case "addMask":
      effects[effect.do](effect.value);
      break;
    case "addMatchers":
      effects.addMatchers(effect.value, effects.fail);
      break;
    case "removeMatchers":
      effects.removeMatchers(effect.which, effects.fail);
      break;
    case "echo":
      effects.setEcho(effect.on);
      break;
    case "fail":
      effects.fail();
      break;
    default:
      effect satisfies never;
  }
}
