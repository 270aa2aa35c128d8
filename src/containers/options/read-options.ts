import { BerthError } from "../../../runner/errors.ts";
import type { ContainerOptions } from "./container-options.ts";
import { nearestWord } from "./nearest-word.ts";
import { emptyDraft, type OptionDraft, type OptionFiles } from "./option-draft.ts";
import { optionError } from "./option-error.ts";
import { OPTION_RULES, type OptionRule } from "./option-rules.ts";
import { splitWords } from "./split-words.ts";

/**
 * Reads `options:` of a container with the meaning that `docker create` gives them: `--name value`, `--name=value`, short forms,
 * clusters of them, repeated options.
 *
 * @throws {BerthError} `CONTAINER_OPTION` for an option that is unknown or refused, or a value that is malformed.
 */
export function readOptions(text: string, files: OptionFiles = {}): ContainerOptions {
  const draft = emptyDraft(files);
  const words = splitWords(text);

  for (let word = words.shift(); word !== undefined; word = words.shift()) {
    if (word.startsWith("--") && word !== "--") applyLong(draft, word, words);
    else if (/^-[^-]/.test(word)) applyShort(draft, word, words);
    else throw notAnOption(word);
  }
  return finished(draft);
}

function applyLong(draft: OptionDraft, word: string, words: string[]): void {
  const at = word.indexOf("=");
  const option = at < 0 ? word : word.slice(0, at);
  const rule = Object.hasOwn(OPTION_RULES, option.slice(2))
    ? OPTION_RULES[option.slice(2)]
    : undefined;
  if (rule === undefined) throw unknownOption(option);

  apply(draft, rule, option, at < 0 ? undefined : word.slice(at + 1), words);
}

/** `-m 512m`, `-m512m`, `-m=512m`, `-it`, `-itm 512m`: pflag's rules. */
function applyShort(draft: OptionDraft, word: string, words: string[]): void {
  for (let i = 1; i < word.length; i++) {
    const letter = word.charAt(i);
    const rule = Object.values(OPTION_RULES).find(({ short }) => short === letter);
    if (rule === undefined) throw unknownOption(`-${letter}`, word);

    const rest = word.slice(i + 1);
    if (rule.flag && !rest.startsWith("=")) {
      apply(draft, rule, `-${letter}`, undefined, words);
      continue;
    }
    const value = rest.startsWith("=") ? rest.slice(1) : rest || undefined;
    apply(draft, rule, `-${letter}`, value, words);
    return;
  }
}

function apply(
  draft: OptionDraft,
  rule: OptionRule,
  option: string,
  attached: string | undefined,
  words: string[],
): void {
  if (rule.refused !== undefined) {
    throw new BerthError("CONTAINER_OPTION", {
      message: `The container option ${option} is refused. ${rule.refused}`,
      remedy: `Take ${option} out of the container's options.`,
    });
  }
  const value = attached ?? (rule.flag ? "true" : words.shift());
  if (value === undefined) {
    throw new BerthError("CONTAINER_OPTION", {
      message: `The container option ${option} lacks its value.`,
      remedy: `Write ${option} VALUE, or take it out.`,
    });
  }
  rule.apply?.(draft, value, option);
}

function finished(draft: OptionDraft): ContainerOptions {
  const { health, healthOff, files: _, ...options } = draft;
  if (healthOff && Object.keys(health).length > 0) {
    throw optionError("--no-healthcheck", "true", "there are --health-… options beside it");
  }
  if (healthOff) options.config.Healthcheck = { Test: ["NONE"] };
  else if (Object.keys(health).length > 0) options.config.Healthcheck = health;

  const [first, ...others] = options.networks;
  const modes = options.networks.filter(({ name }) => isSpecialNetwork(name));
  if (modes.length > 0 && others.length > 0) {
    throw optionError(
      "--network",
      modes[0]?.name ?? "",
      "it cannot be joined beside another network",
    );
  }
  if (first !== undefined && options.aliases.length > 0) {
    const alias = options.aliases.join(", ");
    if (isSpecialNetwork(first.name) || first.name === "bridge" || first.name === "default") {
      throw optionError("--network-alias", alias, `the network "${first.name}" has no aliases`);
    }
    options.networks[0] = { ...first, aliases: [...first.aliases, ...options.aliases] };
    options.aliases = [];
  }
  return options;
}

/** Networks that are none: the host's own, none at all, another container's. */
export function isSpecialNetwork(name: string): boolean {
  return name === "host" || name === "none" || name.startsWith("container:");
}

function notAnOption(word: string): BerthError {
  return new BerthError("CONTAINER_OPTION", {
    message: `"${word}" in the container options is not an option.`,
    remedy: "Options begin with -; put quotes around a value that has blanks in it.",
  });
}

function unknownOption(option: string, cluster = option): BerthError {
  const inside = cluster === option ? "" : ` (in ${cluster})`;
  const nearest = nearestOption(option);
  return new BerthError("CONTAINER_OPTION", {
    message: `The container option ${option}${inside} is unknown.`,
    remedy:
      nearest === undefined
        ? "Take it out; docs/container-options.md lists the options."
        : `Did you mean --${nearest}? docs/container-options.md lists the options.`,
  });
}

function nearestOption(option: string): string | undefined {
  const known = Object.keys(OPTION_RULES).filter((name) => OPTION_RULES[name]?.apply !== undefined);
  return nearestWord(option.replace(/^-+/, ""), known);
}
