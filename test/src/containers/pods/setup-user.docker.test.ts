import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import type { Engine } from "../../../../src/containers/connect-engine.ts";
import { describeEngine } from "../../../../src/containers/describe-engine.ts";
import { createContainer } from "../../../../src/containers/pods/create-container.ts";
import { findPod } from "../../../../src/containers/pods/find-pod.ts";
import { listPods } from "../../../../src/containers/pods/list-pods.ts";
import type { PodHost } from "../../../../src/containers/pods/pod-host.ts";
import { removePod } from "../../../../src/containers/pods/remove-pod.ts";
import { runInContainer } from "../../../../src/containers/pods/run-in-container.ts";
import { SETUP_USER_SCRIPT } from "../../../../src/containers/pods/setup-user-script.ts";
import { engineForTests } from "../../../src/containers/engine.ts";
import { tinyImage } from "../../../src/containers/tiny-image.ts";

const signal = new AbortController().signal;
const keys = ["ssh-ed25519 AAAA me"];

let engine: Engine;
let host: PodHost;

beforeAll(async () => {
  engine = await engineForTests();
  const description = await describeEngine(engine, signal);
  host = {
    name: "here",
    address: "127.0.0.1",
    isLocal: true,
    engines: async () => [{ ...description, endpoint: engine.endpoint, usable: true }],
    connect: async () => engine,
  };
});

async function remove(id: string) {
  const found = await findPod(id, await listPods("here", engine), [engine]);
  await removePod(found, { volumes: true });
}

const inside = (id: string, script: string, env = {}) =>
  runInContainer(engine.docker, id, script, { env, limitMs: 30_000, signal });

describe("a user in an image without apt", () => {
  const TINY = "berth-test-pods-user:tiny";
  let image: AsyncDisposable;

  beforeAll(async () => {
    image = await tinyImage(engine.docker, TINY, {
      people: [
        "node:x:1000:1000::/home/node:/bin/sh",
        "app:x:1001:1001::/nonexistent:/sbin/nologin",
      ],
      groups: ["node:x:1000:", "app:x:1001:"],
      changes: ['CMD ["sh"]'],
    });
  });
  afterAll(async () => {
    await image[Symbol.asyncDispose]();
  });

  /** A package manager that notes what it was asked for, and "installs" programs that do nothing but what the script looks at. */
  const fakeManager = (name: string) => `
/bin/busybox mkdir -p /usr/bin && /bin/busybox --install -s /usr/bin
cat > /usr/bin/${name} <<'END'
#!/bin/sh
echo "$*" >> /tmp/asked
for one in sshd ssh sudo mosh-server; do
  printf '#!/bin/sh\\nexit 0\\n' > /usr/bin/$one
done
printf '#!/bin/sh\\nfor file; do :; done\\necho private > $file; echo ssh-ed25519 AAAA pod > $file.pub\\n' > /usr/bin/ssh-keygen
chmod 755 /usr/bin/*
END
chmod 755 /usr/bin/${name}`;

  const tiny = () =>
    createContainer(
      host,
      { image: TINY },
      { allowsHostPath: () => false, progress: () => {}, signal },
    );

  const env = {
    POD_USER: "pod-user",
    POD_KEYS: "ssh-ed25519 AAAA me",
    POD_SSH_PORT: "",
    POD_SETENV: "",
    POD_PATH: "",
  };

  it.each([
    [
      "apk",
      "add --no-cache sudo openssh\nadd --no-cache mosh\n".replace("add --no-cache mosh\n", ""),
    ],
    ["dnf", "-y install sudo openssh-server openssh-clients shadow-utils\n"],
    ["microdnf", "-y install sudo openssh-server openssh-clients shadow-utils\n"],
  ])("installs with %s, and makes the user where there is no useradd", async (manager, asked) => {
    const { id } = await tiny();
    try {
      await inside(id, fakeManager(manager));

      const { exitCode, stdout } = await inside(id, SETUP_USER_SCRIPT, env);
      const twice = await inside(id, SETUP_USER_SCRIPT, env);
      const files = await inside(
        id,
        "cat /tmp/asked; grep pod-user /etc/passwd; cat /etc/sudoers.d/* /etc/berth-pod/authorized_keys/pod-user; stat -c %u /home/pod-user",
      );

      expect([exitCode, twice.exitCode]).toEqual([0, 0]);
      expect(stdout).toMatch(/^user=pod-user\nuid=1002\nhostkey=ssh-ed25519 AAAA\n/);
      expect(files.stdout).toBe(
        `${asked}pod-user:x:1002:1002:${files.stdout.includes("Linux User") ? "Linux User,,," : ""}:/home/pod-user:/bin/sh\n` +
          "Defaults:pod-user !requiretty\npod-user ALL=(ALL:ALL) NOPASSWD: ALL\nssh-ed25519 AAAA me\n1002\n",
      );
    } finally {
      await remove(id);
    }
  });

  it("takes a user that is there, and gives it a shell and a home", async () => {
    const { id } = await tiny();
    try {
      await inside(id, fakeManager("apk"));

      const { exitCode } = await inside(id, SETUP_USER_SCRIPT, { ...env, POD_USER: "app" });

      const { stdout } = await inside(id, "grep '^app:' /etc/passwd; stat -c %u /home/app");
      expect(exitCode).toBe(0);
      expect(stdout).toBe("app:x:1001:1001::/home/app:/bin/sh\n1001\n");
    } finally {
      await remove(id);
    }
  });

  it("keeps the container and tells the cause where nothing can be installed", async () => {
    const request = { image: TINY, setupUser: "pod-user" };
    const options = { keys, signal, allowsHostPath: () => false, progress: () => {} };

    const answer = await createContainer(host, request, options);

    try {
      expect(answer).toMatchObject({ state: "running", userReady: false, sshCommand: null });
      expect(answer.userError).toMatch(/The user pod-user could not be made: /);
    } finally {
      await remove(answer.id);
    }
    await expect(
      createContainer(host, request, { ...options, requiresUser: true }),
    ).rejects.toThrow(
      /is required, and cannot log in: .* What had been made was removed: the container pod-/,
    );
  });
});
