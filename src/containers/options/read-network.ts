import { isIP } from "node:net";
import type { NetworkAttachment } from "./container-options.ts";
import { optionError } from "./option-error.ts";
import { readInteger } from "./read-quantity.ts";
import { splitFields } from "./split-words.ts";

/** `host`, `none`, `bridge`, `container:NAME`, the name of a network, or `name=NET,alias=A,ip=…`. */
export function readNetwork(text: string, option: string): NetworkAttachment {
  if (text === "") throw optionError(option, text, "it names no network");
  if (!text.includes("=")) return { name: text, aliases: [] };

  const network: { -readonly [K in keyof NetworkAttachment]: NetworkAttachment[K] } = {
    name: "",
    aliases: [],
  };
  for (const field of splitFields(text, () =>
    optionError(option, text, "a quote is never closed"),
  )) {
    const at = field.indexOf("=");
    const key = at < 0 ? field : field.slice(0, at).trim().toLowerCase();
    const value = field.slice(at + 1).trim();
    switch (key) {
      case "name":
        network.name = value;
        break;
      case "alias":
        network.aliases = [...network.aliases, value];
        break;
      case "ip":
        network.ipv4 = readIp(value, option);
        break;
      case "ip6":
        network.ipv6 = readIp(value, option);
        break;
      case "mac-address":
        network.macAddress = value;
        break;
      case "link-local-ip":
        network.linkLocalIps = [...(network.linkLocalIps ?? []), readIp(value, option)];
        break;
      case "gw-priority":
        network.gatewayPriority = readInteger(value, option);
        break;
      case "driver-opt": {
        const [name = "", ...rest] = value.split("=");
        network.driverOptions = { ...network.driverOptions, [name]: rest.join("=") };
        break;
      }
      default:
        throw optionError(option, text, `"${key}" is not part of a network`);
    }
  }
  if (network.name === "") throw optionError(option, text, "it names no network");
  return network;
}

/** `name:address` or `name=address`, brackets around an IPv6 address allowed; `host-gateway` is the host itself. */
export function readExtraHost(text: string, option: string): string {
  const match = /^([^:=]+)[:=](.+)$/.exec(text);
  const name = match?.[1] ?? "";
  const address = (match?.[2] ?? "").replace(/^\[(.*)\]$/, "$1");
  if (name === "" || address === "") throw optionError(option, text, "it is not name:address");
  if (address !== "host-gateway" && isIP(address) === 0) {
    throw optionError(option, text, `"${address}" is no IP address`);
  }
  return `${name}:${address}`;
}

export function readIp(text: string, option: string): string {
  if (isIP(text) !== 0) return text;
  throw optionError(option, text, "it is no IP address");
}
