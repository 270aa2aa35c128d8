import { describe, expect, it } from "@jest/globals";
import type { PortMapping } from "../../../../src/containers/options/read-ports.ts";
import {
  assignLogin,
  assignPorts,
  takenPort,
} from "../../../../src/containers/pods/assign-ports.ts";

const port = (hostPort: string, containerPort = 80): PortMapping => ({
  containerPort,
  protocol: "tcp",
  hostIp: "",
  hostPort,
});

describe("assignPorts", () => {
  it("keeps a port that was named and finds others for those that were left open", () => {
    const assigned = assignPorts([port("8080"), port(""), port("")], new Set(), () => 0);

    expect(assigned.map(({ hostPort }) => hostPort)).toEqual(["8080", "20000", "20001"]);
  });

  it("passes over ports that are taken, and begins again at the range's start", () => {
    const taken = new Set(["9002/tcp", "9000/tcp", "9001/udp"]);

    expect(assignPorts([port("9000-9002")], taken, () => 0.9)[0]?.hostPort).toBe("9001");
  });

  it("says which range has no free port left", () => {
    const all = [port("9000-9001"), port("9000-9001"), port("9000-9001")];

    expect(() => assignPorts(all, new Set(), () => 0)).toThrow(/All ports 9000-9001 of the host/);
  });
});

describe("assignLogin", () => {
  it("takes a run of UDP ports of which none is taken", () => {
    const taken = new Set(["60003/udp", "20000/tcp"]);

    const { ssh, mosh } = assignLogin([port("20001")], taken, () => 0);

    expect(ssh).toBe(20_002);
    expect(mosh).toEqual({ first: 60_005, last: 60_009 });
  });
});

describe("takenPort", () => {
  it.each([
    ["Bind for 0.0.0.0:8080 failed: port is already allocated", "8080"],
    ["listen tcp4 0.0.0.0:81: bind: address already in use", "81"],
    ["cannot expose privileged port 80, you can add ...", "80"],
    ["no such image", undefined],
  ])("finds it in: %s", (said, found) => {
    expect(takenPort(new Error(said))).toBe(found);
  });
});
