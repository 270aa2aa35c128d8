import { expect, it } from "@jest/globals";
import { BerthError } from "../../../runner/errors.ts";
import { engineError } from "../../../src/containers/engine-error.ts";

const OCI =
  "failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: ";

it.each([
  [`${OCI}unable to apply caps: operation not permitted`, "ENGINE_REFUSED", "capabilities"],
  [
    `${OCI}error during container init: error setting rlimits for ready process: error setting rlimit type 7: operation not permitted`,
    "ENGINE_REFUSED",
    "may not raise a limit",
  ],
  [`${OCI}can't get final child's PID from pipe: EOF`, "ENGINE_REFUSED", "may not raise a limit"],
  ['could not select device driver "" with capabilities: [[gpu]]', "ENGINE_REFUSED", "GPUs"],
  ["Unknown runtime specified kata", "ENGINE_REFUSED", "no runtime named kata"],
  [
    "driver failed programming external connectivity on endpoint x: Bind for 0.0.0.0:80 failed: port is already allocated",
    "ENGINE_REFUSED",
    "is taken",
  ],
  [
    "Error starting userland proxy: error while calling PortManager.AddPort(): cannot expose privileged port 443, you can add 'net.ipv4.ip_unprivileged_port_start=443'",
    "ENGINE_REFUSED",
    "may not open port 443 of the host",
  ],
  [
    "Error processing tar file(exit status 1): lchown /__w: invalid argument",
    "ENGINE_REFUSED",
    "no such user or group",
  ],
  [
    "could not find an available, non-overlapping IPv4 address pool among the defaults to assign to the network",
    "ENGINE_REFUSED",
    "no address range left",
  ],
  ["write /var/lib/x: no space left on device", "DISK_FULL", "disk is full"],
  [
    'invalid mount config for type "bind": bind source path does not exist: /nope',
    "CONTAINER_OPTION",
    "/nope of a volume does not exist",
  ],
  ["network nowhere not found", "CONTAINER_OPTION", "no network named nowhere"],
  [
    'Conflict. The container name "/web" is already in use by container "abc".',
    "CONTAINER_OPTION",
    "named web exists",
  ],
  [`${OCI}exec: "/bin/sh": stat /bin/sh: no such file or directory`, "IMAGE_UNUSABLE", "/bin/sh"],
  ["exec /bin/sh: exec format error", "IMAGE_UNUSABLE", "another kind of processor"],
  ["unable to find user bob: no matching entries in passwd file", "IMAGE_UNUSABLE", "named bob"],
  ["something nobody has seen before", "ENGINE_REFUSED", "something nobody has seen before"],
])("puts words to: %s", (said, code, words) => {
  const error = engineError(refusal(said), "make the container");

  expect(error).toMatchObject({ code, message: expect.stringContaining(words) });
  expect(error.message).toContain(said);
  expect(error.remedy).toMatch(/\S/);
});

it("tells an engine that is gone from one that refuses", () => {
  const gone = Object.assign(new Error("connect ECONNREFUSED"), { code: "ECONNREFUSED" });

  expect(engineError(gone, "make the container")).toMatchObject({ code: "ENGINE_LOST" });
});

it("leaves an error alone that has its words already", () => {
  const error = new BerthError("IMAGE_NOT_FOUND", { message: "x" });

  expect(engineError(error, "do it")).toBe(error);
});

function refusal(message: string): Error {
  const text = `(HTTP code 500) server error - ${message} `;
  return Object.assign(new Error(text), { statusCode: 500, json: { message } });
}
