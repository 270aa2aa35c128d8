import type { Mount } from "./container-options.ts";
import { optionError } from "./option-error.ts";
import { readBoolean, readSize } from "./read-quantity.ts";
import { splitFields } from "./split-words.ts";

/** One volume: a mount, an anonymous volume at a path, or (for SELinux labels) a bind in Docker's old form. */
export type VolumeEntry = { mount: Mount } | { anonymous: string } | { bind: string };

const PROPAGATIONS = ["private", "rprivate", "shared", "rshared", "slave", "rslave"];
const CONSISTENCIES = ["default", "consistent", "cached", "delegated"];

/**
 * `source:target[:mode]`, `target` or `target:ro`, of `-v` and of `volumes:` in a workflow. A source with a leading slash is a path
 * of the host and has to exist, anything else is the name of a volume.
 *
 * @throws {BerthError} `CONTAINER_OPTION`, also for a relative path.
 */
export function readVolume(text: string, option: string): VolumeEntry {
  const parts = text.split(":");
  const [first = "", second, modes = ""] = parts;
  if (parts.length > 3 || parts.some((part) => part === "")) {
    throw optionError(option, text, "it is not source:target[:mode]");
  }
  if (second === undefined) return { anonymous: target(first, text, option) };
  if (parts.length === 2 && first.startsWith("/") && (second === "ro" || second === "rw")) {
    const path = target(first, text, option);
    return { mount: { Type: "volume", Target: path, ReadOnly: second === "ro" } };
  }

  const source = readSource(first, text, option);
  const path = target(second, text, option);
  return { ...mounted(source, path, modes, text, option) };
}

function readSource(source: string, whole: string, option: string): string {
  if (source.startsWith("/") || /^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/.test(source)) return source;
  if (source.includes("/") || source.startsWith(".") || source.startsWith("~")) {
    const remedy = "Write the whole path, beginning with /, or the name of a volume.";
    throw optionError(option, whole, `"${source}" is a relative path of the host`, remedy);
  }
  throw optionError(option, whole, `"${source}" is neither a path nor the name of a volume`);
}

function mounted(
  source: string,
  path: string,
  modes: string,
  whole: string,
  option: string,
): VolumeEntry {
  const isBind = source.startsWith("/");
  const list = modes === "" ? [] : modes.split(",");
  const unknown = list.find(
    (mode) =>
      !["ro", "rw", "z", "Z", "nocopy", ...PROPAGATIONS, ...CONSISTENCIES].includes(mode) ||
      (mode === "nocopy" && isBind) ||
      (PROPAGATIONS.includes(mode) && !isBind),
  );
  if (unknown !== undefined) throw optionError(option, whole, `"${unknown}" is no mode of it`);

  // Only the old form carries SELinux labels.
  if (list.includes("z") || list.includes("Z")) return { bind: whole };
  const propagation = list.find((mode) => PROPAGATIONS.includes(mode));
  const consistency = list.find((mode) => CONSISTENCIES.includes(mode));
  return {
    mount: {
      Type: isBind ? "bind" : "volume",
      Source: source,
      Target: path,
      ...(list.includes("ro") && { ReadOnly: true }),
      ...(propagation !== undefined && { BindOptions: { Propagation: propagation } }),
      ...(consistency !== undefined && { Consistency: consistency }),
      ...(list.includes("nocopy") && { VolumeOptions: { NoCopy: true } }),
    },
  };
}

function target(path: string, whole: string, option: string): string {
  if (!path.startsWith("/")) {
    throw optionError(option, whole, `"${path}" is not an absolute path in the container`);
  }
  if (/^\/+$/.test(path)) throw optionError(option, whole, "the container's / is taken");
  return path;
}

/** `type=bind,source=/data,target=/data,readonly`, as `--mount` takes it. */
export function readMount(text: string, option: string): Mount {
  const fields = splitFields(text, () => optionError(option, text, "a quote is never closed"));
  const mount: { -readonly [K in keyof Mount]: Mount[K] } = { Type: "volume", Target: "" };

  for (const field of fields) {
    const [rawKey = "", ...rest] = field.split("=");
    const key = rawKey.trim().toLowerCase();
    const value = rest.join("=");
    if (
      rest.length === 0 &&
      !["readonly", "ro", "volume-nocopy", "bind-nonrecursive"].includes(key)
    ) {
      throw optionError(option, text, `"${field}" is not key=value`);
    }
    const flag = () => (rest.length === 0 ? true : readBoolean(value, option));
    setMountField(mount, key, value, flag, text, option);
  }

  checkMount(mount, text, option);
  return mount;
}

function setMountField(
  mount: { -readonly [K in keyof Mount]: Mount[K] },
  key: string,
  value: string,
  flag: () => boolean,
  text: string,
  option: string,
): void {
  const volume = () => (mount.VolumeOptions ??= {});
  switch (key) {
    case "type":
      mount.Type = mountType(value.toLowerCase(), text, option);
      break;
    case "source":
    case "src":
      mount.Source = value;
      break;
    case "target":
    case "dst":
    case "destination":
      mount.Target = target(value, text, option);
      break;
    case "readonly":
    case "ro":
      mount.ReadOnly = flag();
      break;
    case "consistency":
      mount.Consistency = value.toLowerCase();
      break;
    case "bind-propagation":
      if (!PROPAGATIONS.includes(value)) {
        throw optionError(option, text, `"${value}" is none of ${PROPAGATIONS.join(", ")}`);
      }
      mount.BindOptions = { ...mount.BindOptions, Propagation: value };
      break;
    case "bind-nonrecursive":
      mount.BindOptions = { ...mount.BindOptions, NonRecursive: flag() };
      break;
    case "bind-recursive":
      mount.BindOptions = { ...mount.BindOptions, ...bindRecursive(value, text, option) };
      break;
    case "volume-nocopy":
      volume().NoCopy = flag();
      break;
    case "volume-subpath":
      volume().Subpath = value;
      break;
    case "volume-label":
      volume().Labels = { ...mount.VolumeOptions?.Labels, ...keyValue(value) };
      break;
    case "volume-driver":
      volume().DriverConfig = { ...mount.VolumeOptions?.DriverConfig, Name: value };
      break;
    case "volume-opt":
      volume().DriverConfig = {
        ...mount.VolumeOptions?.DriverConfig,
        Options: { ...mount.VolumeOptions?.DriverConfig?.Options, ...keyValue(value) },
      };
      break;
    case "image-subpath":
      mount.ImageOptions = { Subpath: value };
      break;
    case "tmpfs-size":
      mount.TmpfsOptions = { ...mount.TmpfsOptions, SizeBytes: readSize(value, option) };
      break;
    case "tmpfs-mode":
      if (!/^[0-7]{1,4}$/.test(value)) {
        throw optionError(option, text, `"${value}" is not an octal mode`);
      }
      mount.TmpfsOptions = { ...mount.TmpfsOptions, Mode: Number.parseInt(value, 8) };
      break;
    default:
      throw optionError(option, text, `"${key}" is not part of a mount`);
  }
}

function checkMount(mount: Mount, text: string, option: string): void {
  const { Type: type, Source: source = "" } = mount;
  const stray = [
    mount.BindOptions !== undefined && type !== "bind" && "bind",
    mount.VolumeOptions !== undefined && type !== "volume" && "volume",
    mount.TmpfsOptions !== undefined && type !== "tmpfs" && "tmpfs",
    mount.ImageOptions !== undefined && type !== "image" && "image",
  ].find((word) => word !== false);
  if (stray !== undefined) {
    throw optionError(option, text, `it has ${stray}-… fields and is of type ${type}`);
  }
  if (mount.Target === "") throw optionError(option, text, "it has no target");
  if (type === "bind" && !source.startsWith("/")) {
    const remedy = "Write the whole path, beginning with /, or use type=volume.";
    throw optionError(option, text, "its source is not an absolute path of the host", remedy);
  }
  if (type === "tmpfs" && source !== "") throw optionError(option, text, "a tmpfs has no source");
}

function mountType(value: string, text: string, option: string): Mount["Type"] {
  if (value === "bind" || value === "volume" || value === "tmpfs" || value === "image")
    return value;
  throw optionError(option, text, `"${value}" is none of bind, volume, tmpfs, image`);
}

function bindRecursive(value: string, text: string, option: string): Mount["BindOptions"] {
  switch (value) {
    case "enabled":
      return {};
    case "disabled":
      return { NonRecursive: true };
    case "writable":
      return { ReadOnlyNonRecursive: true };
    case "readonly":
      return { ReadOnlyForceRecursive: true };
    default:
      throw optionError(
        option,
        text,
        `"${value}" is none of enabled, disabled, writable, readonly`,
      );
  }
}

/** `k=v` as an entry; a bare `k` has an empty value. */
export function keyValue(text: string): { [key: string]: string } {
  const at = text.indexOf("=");
  return at < 0 ? { [text]: "" } : { [text.slice(0, at)]: text.slice(at + 1) };
}
