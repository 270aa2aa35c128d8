import { expect, it } from "@jest/globals";
import { sideBySide } from "../../../../src/cli/view/hosts-side-by-side.ts";
import { aGpu, aMachine, anEngine } from "../../hosts/host-facts.ts";

it("shows a column for each host, and why one could not be looked at", () => {
  const rootless = anEngine({ rootless: true, isDefault: false });
  const facts = aMachine({
    disks: [{ path: "/", totalBytes: 2 * 1024 ** 4, freeBytes: 1024 ** 4 }],
    engines: [anEngine({ proved: { limits: "It has none." } }), rootless],
    gpus: [aGpu(), aGpu({ index: 1, usable: false })],
    nvidiaDriver: "550.54.15",
    warnings: [{ message: "Something is old.", remedy: "Renew it." }],
  });
  const problem = { problem: "Host nas is off.", remedy: "Switch it on." };

  const text = sideBySide([
    { name: "gpu-1", facts },
    { name: "nas", ...problem },
  ]);

  expect(text).toBe(`                gpu-1                           nas
system          Debian GNU/Linux 12 (bookworm)  ?
architecture    x64                             ?
CPUs            4                               ?
memory          8 GiB                           ?
disk free       1 TiB                           ?
control groups  v2                              ?
root            no                              ?
jobs get        Docker 28.0.0                   ?
also there      Docker 28.0.0 rootless          ?
limits          not enforced                    ?
runtimes        runc                            ?
GPUs            1 × NVIDIA A30, 1 not usable    ?
NVIDIA driver   550.54.15                       ?
CUDA            12.4                            ?
warnings        1                               ?

✗ nas: Host nas is off.
  Switch it on.

Warnings in full: berth host probe NAME
`);
});

it("leaves out what none of them has", () => {
  const text = sideBySide([{ name: "one", facts: aMachine({ engines: [anEngine({})] }) }]);

  expect(text).toContain("jobs get");
  expect(text).not.toMatch(/also there|NVIDIA|warnings/);
});
