import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "@jest/globals";
import { resolveTarget } from "../../../../src/hosts/ssh/resolve-target.ts";
import type { SshTarget } from "../../../../src/hosts/ssh/ssh-connection.ts";

const home = mkdtempSync(join(tmpdir(), "berth-ssh-config-"));
mkdirSync(join(home, ".ssh", "more"), { recursive: true });
afterAll(() => rmSync(home, { recursive: true }));

it.each([
  ["gpu-1", { user: "me", host: "gpu-1", port: 22 }],
  ["ubuntu@gpu-1:2222", { user: "ubuntu", host: "gpu-1", port: 2222 }],
  ["ssh://ubuntu@gpu-1:2222/", { user: "ubuntu", host: "gpu-1", port: 2222 }],
  ["ubuntu@[fe80::1]:2222", { user: "ubuntu", host: "fe80::1", port: 2222 }],
  ["fe80::1", { user: "me", host: "fe80::1", port: 22 }],
])("reads %s", (destination, expected) => {
  expect(resolved("", { destination }).at(-1)).toMatchObject(expected);
});

it.each(["", "@gpu-1", "gpu-1:many", "ubuntu@"])("refuses %j as a destination", (destination) => {
  expect(() => resolved("", { destination })).toThrow(
    expect.objectContaining({ code: "CONFIG_INVALID" }),
  );
});

it("honours a name of ~/.ssh/config, and lets berth.yml win over it", () => {
  const config = `
host gpu
  hostname 10.0.0.7
  User ubuntu
  Port=2200
  IdentityFile ~/.ssh/gpu_key
  CertificateFile "~/.ssh/gpu cert.pub"
  UserKnownHostsFile ~/.ssh/known_gpus
Host *
  User nobody
`;

  expect(resolved(config, { destination: "gpu" })).toMatchObject([
    {
      ...{ user: "ubuntu", host: "10.0.0.7", port: 2200, keyName: "10.0.0.7" },
      identities: [
        {
          file: join(home, ".ssh/gpu_key"),
          certificate: join(home, ".ssh/gpu cert.pub"),
          isNamed: true,
        },
      ],
      knownHostsFiles: expect.arrayContaining([join(home, ".ssh/known_gpus")]),
    },
  ]);
  expect(resolved(config, { destination: "root@gpu:22", identityFile: "/k" })).toMatchObject([
    { user: "root", host: "10.0.0.7", port: 22, identities: [{ file: "/k" }] },
  ]);
});

it("looks under HostKeyAlias in known_hosts", () => {
  const [hop] = resolved("Host gpu\n  HostName 10.0.0.7\n  HostKeyAlias gpu.lab", {
    destination: "gpu",
  });

  expect(hop).toMatchObject({ host: "10.0.0.7", keyName: "gpu.lab" });
});

it("reads included files, within the section that names them", () => {
  writeFileSync(join(home, ".ssh/more/10-lab"), "Host lab\n  Port 2201\nHost gpu\n  Port 2202\n");
  const config = "Include more/*\nUser me2\nHost lab\n  HostName lab.example\n";

  expect(resolved(config, { destination: "lab" })).toMatchObject([
    { host: "lab.example", port: 2201, user: "me2" },
  ]);
});

it("runs no command that ~/.ssh/config names", () => {
  const touched = join(home, "touched");
  resolved(`Match exec "touch ${touched}"\n  Port 1\n`, { destination: "gpu" });

  expect(() => rmSync(touched)).toThrow("ENOENT");
});

it("goes over bastions in the order of ProxyJump, each with settings of its own", () => {
  const config = `
Host gpu
  ProxyJump first,second:2200
Host first
  HostName first.example
  ProxyJump outer
Host second
  User two
`;

  expect(
    resolved(config, { destination: "gpu", hostKey: "SHA256:x" }).map(
      ({ user, host, port, hostKey }) => ({ user, host, port, hostKey }),
    ),
  ).toEqual([
    { user: "me", host: "outer", port: 22, hostKey: undefined },
    { user: "me", host: "first.example", port: 22, hostKey: undefined },
    { user: "two", host: "second", port: 2200, hostKey: undefined },
    { user: "me", host: "gpu", port: 22, hostKey: "SHA256:x" },
  ]);
  expect(resolved(config, { destination: "gpu", jump: "none" })).toHaveLength(1);
});

it("refuses jumps in a circle", () => {
  expect(() =>
    resolved("Host a\n  ProxyJump b\nHost b\n  ProxyJump a\n", { destination: "a" }),
  ).toThrow(/circle/);
});

it("does not go past a ProxyCommand that it does not run", () => {
  const config = "Host gpu\n  ProxyCommand ssh -W %h:%p gate\nHost plain\n  ProxyCommand none\n";

  expect(() => resolved(config, { destination: "gpu" })).toThrow(/ProxyCommand/);
  expect(() => resolved(config, { destination: "plain", jump: "gpu" })).toThrow(/ProxyCommand/);
  expect(resolved(config, { destination: "gpu", jump: "gate" })).toHaveLength(2);
  expect(resolved(config, { destination: "gpu", jump: "none" })).toHaveLength(1);
  expect(resolved(config, { destination: "plain" })).toHaveLength(1);
});

it("asks the agent that ~/.ssh/config names, else that of the environment", () => {
  const agentOf = (config: string) => resolved(config, { destination: "gpu" }).at(-1)?.agent;

  expect(agentOf("")).toBe("/agent");
  expect(agentOf("IdentityAgent none")).toBeUndefined();
  expect(agentOf("IdentityAgent ~/other.sock")).toBe(join(home, "other.sock"));
});

function resolved(config: string, target: Omit<SshTarget, "name">) {
  writeFileSync(join(home, ".ssh/config"), config);
  const env = { USER: "me", SSH_AUTH_SOCK: "/agent" };
  return resolveTarget({ name: "gpu-1", ...target }, { home, env });
}
