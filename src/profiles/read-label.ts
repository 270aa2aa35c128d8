import type { Profiles, Wish } from "./need.ts";
import { formatSize, readSize } from "./size.ts";
import { suggestLabel } from "./suggest-label.ts";

/** What a label means here, or in words what it may have been meant to be. */
export type LabelReading =
  | { readonly known: true; readonly wish: Wish; readonly meaning: string }
  | { readonly known: false; readonly hint: string };

/** Labels of one word. */
const WORDS: { readonly [label: string]: { readonly wish: Wish; readonly meaning: string } } = {
  "self-hosted": { wish: {}, meaning: "a machine of your own, which every host of Berth is" },
  linux: { wish: {}, meaning: "Linux, which every job of Berth runs on" },
  berth: { wish: {}, meaning: "this job is for Berth" },
  x64: { wish: { arch: "x64" }, meaning: "a host with x86-64 processors" },
  arm64: { wish: { arch: "arm64" }, meaning: "a host with 64-bit ARM processors" },
  gpu: { wish: { gpu: true }, meaning: "a GPU of any model, for this job alone" },
  rootless: { wish: { rootless: true }, meaning: "an engine that runs without root" },
  dind: { wish: { dind: true }, meaning: "a Docker daemon of the job's own" },
};

/** Labels with a value, after `=`, `:` or `-`. */
const KEYS: { readonly [key: string]: (value: string, separator: string) => LabelReading } = {
  "gpu-mem": readGpuMemory,
  gpu: readGpu,
  cuda: readCuda,
  mig: readMig,
  cpu: readCpus,
  mem: readMemory,
  image: readImage,
  host: readHost,
};

/** All that a label can be, for lists and for guesses. */
export const LABEL_NAMES: readonly string[] = [...Object.keys(WORDS), ...Object.keys(KEYS)];

/** Longest key first: `gpu-mem=40g` is no model named "mem=40g". */
const WITH_VALUE = new RegExp(`^(${Object.keys(KEYS).join("|")})([=:-])(.*)$`, "is");

/** The least memory that an engine gives a container. */
const LEAST_MEMORY_BYTES = 6 * 1024 ** 2;

/** Reads one label. A profile's name wins over what the word means elsewhere. */
export function readLabel(label: string, profiles: Profiles): LabelReading {
  const text = label.trim();
  const lower = text.toLowerCase();
  const profile = profiles.get(lower);
  if (profile !== undefined) {
    const wish = { ...profile, profile: lower };
    return { known: true, wish, meaning: `the profile ${lower} of the configuration` };
  }
  const word = Object.hasOwn(WORDS, lower) ? WORDS[lower] : undefined;
  if (word !== undefined) return { known: true, ...word };

  const [, key = "", separator = "", value = ""] = WITH_VALUE.exec(text) ?? [];
  const read = KEYS[key.toLowerCase()];
  if (read !== undefined) return read(value.trim(), separator);
  return unknown(suggestLabel(lower, [...LABEL_NAMES, ...profiles.keys()]));
}

/** `gpu=2`, `gpu=a100`, `gpu=a100:2`; two digits are a number of GPUs, more are a model such as 4090. */
function readGpu(value: string, separator: string): LabelReading {
  const text = value.toLowerCase();
  if (/^\d{1,2}$/.test(text)) return gpus(Number(text), undefined);
  // In the form with hyphens the number follows one as well: gpu-a100-2.
  const counted = separator === "-" ? /^(.+?)[:-](\d{1,2})$/ : /^(.+?):(\d{1,2})$/;
  const [, model = "", count = ""] = counted.exec(text) ?? [];
  if (isModel(model)) return gpus(Number(count), model);
  if (isModel(text)) return gpus(undefined, text);
  return unknown(
    `"${value}" is neither a number of GPUs nor a model. Write gpu, gpu=2, gpu=a100 or gpu=a100:2.`,
  );
}

function gpus(count: number | undefined, model: string | undefined): LabelReading {
  if (count === 0) return unknown("It asks for no GPU at all; leave the label out.");
  const wish = {
    gpu: true as const,
    ...(count !== undefined && { gpus: count }),
    ...(model !== undefined && { gpuModel: model }),
  };
  const what = `${count ?? 1} ${count === undefined || count === 1 ? "GPU" : "GPUs"}`;
  const which = model === undefined ? "of any model" : `of the model ${model}`;
  return { known: true, wish, meaning: `${what} ${which}, for this job alone` };
}

const FAMILIES =
  /^(?:nvidia|amd|intel|tesla|titan|quadro|geforce|radeon|instinct|grace|jetson|rtx|gtx)$/;
const MODEL_NUMBER = /^(?:[a-z]{1,3}\d{1,4}[a-z]{0,5}|\d{3,4}[a-z]{0,5})$/;

/** Looks like a model's name, so that `gpu-runner` and `gpu-large` stay somebody else's labels. */
function isModel(text: string): boolean {
  const words = text.split(/[ ._-]+/);
  const isPlain = words.every((word) => /^[a-z0-9]+$/.test(word));
  return isPlain && words.some((word) => FAMILIES.test(word) || MODEL_NUMBER.test(word));
}

function readGpuMemory(value: string): LabelReading {
  const bytes = readSize(value);
  if (bytes === undefined || bytes < 1024 ** 2) return notSize("gpu-mem", value, "40g");
  const meaning = `a GPU with ${formatSize(bytes)} of memory or more`;
  return { known: true, wish: { gpu: true, gpuMemoryBytes: bytes }, meaning };
}

function readCuda(value: string): LabelReading {
  const [, major, minor] = /^(\d{1,2})(?:\.(\d{1,2}))?(?:\.\d{1,3})?$/.exec(value) ?? [];
  if (major === undefined || Number(major) === 0) {
    return unknown(`"${value}" is no version of CUDA. Write cuda=12.4.`);
  }
  const cuda = `${Number(major)}.${Number(minor ?? 0)}`;
  const meaning = `an NVIDIA GPU whose driver can run CUDA ${cuda}`;
  return { known: true, wish: { gpu: true, cuda }, meaning };
}

function readMig(value: string): LabelReading {
  const mig = value.toLowerCase();
  if (!/^(?:[1-9]c\.)?[1-9]g\.\d{1,3}gb(?:[+-]me(?:\.all)?|\+gfx)?$/.test(mig)) {
    return unknown(`"${value}" is no profile of a MIG slice. Write mig=1g.10gb.`);
  }
  return { known: true, wish: { gpu: true, mig }, meaning: `a MIG slice ${mig} of a GPU` };
}

function readCpus(value: string): LabelReading {
  const cpus = /^(?:\d+(?:\.\d{0,9})?|\.\d{1,9})$/.test(value) ? Number(value) : 0;
  // The engine takes no less than a hundredth of a CPU.
  if (cpus < 0.01) return unknown(`"${value}" is no number of CPUs. Write cpu=4 or cpu=0.5.`);
  const meaning = `${cpus} ${cpus === 1 ? "CPU" : "CPUs"}, reserved and enforced`;
  return { known: true, wish: { cpus }, meaning };
}

function readMemory(value: string): LabelReading {
  const bytes = readSize(value);
  if (bytes === undefined) return notSize("mem", value, "16g");
  if (bytes < LEAST_MEMORY_BYTES) {
    const unit = /^\d+$/.test(value) && bytes > 0 ? ` Was mem=${value}g meant?` : "";
    return unknown(`That is ${formatSize(bytes)}; a container needs 6 MiB at least.${unit}`);
  }
  const meaning = `${formatSize(bytes)} of memory, reserved and enforced`;
  return { known: true, wish: { memoryBytes: bytes }, meaning };
}

/** With a hyphen only what cannot be another word: `image-builder` is somebody else's label. */
function readImage(value: string, separator: string): LabelReading {
  const isName = /^[a-z0-9][\w.\-/:@]*$/i.test(value);
  if (!isName || (separator === "-" && !/[:/]/.test(value))) {
    return unknown(`"${value}" is no name of an image. Write image=python:3.12.`);
  }
  return { known: true, wish: { image: value }, meaning: `the job runs in the image ${value}` };
}

function readHost(value: string): LabelReading {
  const host = value.toLowerCase();
  if (!/^[a-z0-9][a-z0-9._-]*$/.test(host)) {
    return unknown(`"${value}" is no name of a host. "berth host ls" lists them.`);
  }
  return { known: true, wish: { host }, meaning: `the host ${host} and no other` };
}

function notSize(key: string, value: string, example: string): LabelReading {
  return unknown(`"${value}" is no amount of memory. Write ${key}=${example}.`);
}

function unknown(hint: string): LabelReading {
  return { known: false, hint };
}
