import type { DeviceRequest, HostSettings } from "./container-options.ts";
import { optionError } from "./option-error.ts";
import { keyValue } from "./read-mounts.ts";
import { readInteger, readSize } from "./read-quantity.ts";
import { splitFields } from "./split-words.ts";

type Device = NonNullable<HostSettings["Devices"]>[number];

/** `host[:container][:rwm]`, or the name of a CDI device. */
export function readDevice(text: string, option: string): Device | DeviceRequest {
  if (/^[\w.-]+\.[\w.-]+\/[\w.-]+=[\w.:-]+$/.test(text)) {
    return { Driver: "cdi", DeviceIDs: [text] };
  }
  const [host = "", second, third, ...more] = text.split(":");
  const isMode = (word: string | undefined) => word !== undefined && /^[rwm]{1,3}$/.test(word);
  const permissions = third ?? (isMode(second) ? second : undefined) ?? "rwm";
  const container = second === undefined || (third === undefined && isMode(second)) ? host : second;
  if (!host.startsWith("/") || !container.startsWith("/") || more.length > 0) {
    throw optionError(option, text, "it is not /dev/host[:/dev/container][:rwm]");
  }
  if (!isMode(permissions))
    throw optionError(option, text, `"${permissions}" is no mode of r, w, m`);
  return { PathOnHost: host, PathInContainer: container, CgroupPermissions: permissions };
}

/** `all`, a count, or `device=0,"driver=nvidia",capabilities=…`, as `--gpus` takes them. */
export function readGpus(text: string, option: string): DeviceRequest {
  const fields = splitFields(text, () => optionError(option, text, "a quote is never closed"));
  const seen = new Set<string>();
  const request: { -readonly [K in keyof DeviceRequest]: DeviceRequest[K] } = {};

  for (const field of fields) {
    const at = field.indexOf("=");
    const key = at < 0 ? "count" : field.slice(0, at);
    const value = field.slice(at + 1);
    if (seen.has(key)) throw optionError(option, text, `${key} is given twice`, QUOTE_GPUS);
    seen.add(key);
    switch (key) {
      case "count":
        request.Count = value === "all" ? -1 : readInteger(value, option, { min: -1 });
        break;
      case "driver":
        request.Driver = value;
        break;
      case "device":
        request.DeviceIDs = value.split(",");
        break;
      case "capabilities":
        request.Capabilities = [[...value.split(","), "gpu"]];
        break;
      case "options":
        request.Options = Object.assign({}, ...value.split(",").map(keyValue));
        break;
      default:
        throw optionError(option, text, `"${key}" is not part of a GPU request`);
    }
  }

  if (request.Count !== undefined && request.DeviceIDs !== undefined) {
    throw optionError(option, text, "it has both a count and devices", QUOTE_GPUS);
  }
  if (request.DeviceIDs === undefined) request.Count ??= 1;
  return { Capabilities: [["gpu"]], ...request };
}

const QUOTE_GPUS = `Quote a list of devices twice: --gpus '"device=0,1"'.`;

const ULIMITS =
  "core cpu data fsize locks memlock msgqueue nice nofile nproc rss rtprio rttime sigpending stack".split(
    " ",
  );

/** `nofile=1024[:2048]`; -1 is unlimited. */
export function readUlimit(
  text: string,
  option: string,
): { Name: string; Soft: number; Hard: number } {
  const match = /^([a-z]+)=(-1|\d+)(?::(-1|\d+))?$/.exec(text);
  if (match === null) throw optionError(option, text, "it is not name=soft[:hard]");
  const [, name = "", softText, hardText] = match;
  const soft = Number(softText);
  const hard = Number(hardText ?? softText);
  if (!ULIMITS.includes(name)) {
    throw optionError(option, text, `"${name}" is none of ${ULIMITS.join(", ")}`);
  }
  if (hard !== -1 && (soft === -1 || soft > hard)) {
    throw optionError(option, text, "the soft limit is above the hard limit");
  }
  return { Name: name, Soft: soft, Hard: hard };
}

/** `c 1:3 rwm` */
export function readDeviceRule(text: string, option: string): string {
  if (/^[acb] (\d+|\*):(\d+|\*) [rwm]{1,3}$/.test(text)) return text;
  throw optionError(option, text, `it is not like "c 1:3 rwm"`);
}

/** `/dev/sda:1mb`, a rate in bytes or operations a second. */
export function readRate(
  text: string,
  option: string,
  { inBytes }: { inBytes: boolean },
): { Path: string; Rate: number } {
  const { path, value } = readPerDevice(text, option);
  return {
    Path: path,
    Rate: inBytes ? readSize(value, option) : readInteger(value, option, { min: 0 }),
  };
}

/** `/dev/sda:500`, a weight of 10 to 1000. */
export function readWeight(text: string, option: string): { Path: string; Weight: number } {
  const { path, value } = readPerDevice(text, option);
  return { Path: path, Weight: readInteger(value, option, { min: 0, max: 1000 }) };
}

function readPerDevice(text: string, option: string): { path: string; value: string } {
  const match = /^(\/dev\/[^:]+):([^:]+)$/.exec(text);
  if (match === null) throw optionError(option, text, "it is not /dev/device:value");
  return { path: match[1] ?? "", value: match[2] ?? "" };
}
