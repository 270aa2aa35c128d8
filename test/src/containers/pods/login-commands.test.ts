import { describe, expect, it } from "@jest/globals";
import {
  type LoginPlace,
  moshCommand,
  sshCommand,
} from "../../../../src/containers/pods/login-commands.ts";

const login: LoginPlace = {
  host: "gpu-1",
  address: "gpu-1.example.com",
  containerId: "0123456789abcdef",
  user: "pod-user",
  hostKey: "ssh-ed25519 AAAA",
  sshd: "/usr/sbin/sshd",
  port: 2222,
  moshPorts: { first: 60_000, last: 60_004 },
};

describe("sshCommand", () => {
  it("pins the server's key and never turns its check off", () => {
    const command = sshCommand(login);

    expect(command).toContain("ssh -p 2222 ");
    expect(command).toContain("StrictHostKeyChecking=yes");
    expect(command).toContain(
      "'KnownHostsCommand=/usr/bin/env echo pod-0123456789ab ssh-ed25519 AAAA'",
    );
    expect(command).toMatch(/ pod-user@gpu-1\.example\.com$/);
  });

  it("goes to the address that the port is bound to", () => {
    expect(sshCommand({ ...login, bindAddress: "127.0.0.1" })).toMatch(/@127\.0\.0\.1$/);
  });

  it("goes through an exec where no port is published; then there is no mosh", () => {
    const inner = { ...login, port: undefined };

    expect(sshCommand(inner)).toContain(
      "'ProxyCommand=berth container exec -i 0123456789ab -- /usr/sbin/sshd -i -f /etc/berth-pod/sshd_config'",
    );
    expect(moshCommand(inner)).toBeNull();
  });

  it("quotes an identity file with blanks", () => {
    expect(sshCommand({ ...login, identityFile: "/my keys/id" })).toContain("-i '/my keys/id'");
  });
});
