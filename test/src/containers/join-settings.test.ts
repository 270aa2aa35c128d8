import { expect, it } from "@jest/globals";
import { readContainer } from "../../../src/containers/container-request.ts";
import { joinSettings } from "../../../src/containers/join-settings.ts";
import { ContainerSettings } from "../../../src/containers/settings.ts";

const SETTINGS = ContainerSettings.parse({
  image: "profile:1",
  user: "1000",
  environment: { A: "profile", B: "profile" },
  volumes: [{ source: "data", target: "/data", mode: "ro" }],
  network: { dns: ["192.0.2.53"], ports: { "8080": 0 } },
  resources: { memory: "1g", pidsLimit: 100, shm: "64m" },
});

it("takes the profile's settings for a job without a container of its own", () => {
  const spec = joinSettings(undefined, SETTINGS, "chosen:2");
  const { options, env, mounts, ports } = readContainer(spec, {}, {});

  expect(spec.image).toBe("chosen:2");
  expect(env).toEqual(["A=profile", "B=profile"]);
  expect(mounts).toMatchObject([{ Source: "data", Target: "/data", ReadOnly: true }]);
  expect(ports).toMatchObject([{ containerPort: 8080 }]);
  expect(options.config.User).toBe("1000");
  expect(options.host).toMatchObject({ Memory: 2 ** 30, PidsLimit: 100, Dns: ["192.0.2.53"] });
});

it("lets a workflow's container say image, variables and user, and keeps the profile's resources", () => {
  const container = {
    image: "own:3",
    env: { A: "own" },
    ports: ["9000"],
    volumes: ["/cache"],
    options: "--user 5 --memory 64g --pids-limit -1 --hostname h",
  };
  const spec = joinSettings(container, SETTINGS, "chosen:2");
  const { options, env, mounts, ports } = readContainer(spec, {}, {});

  expect(spec.image).toBe("own:3");
  expect(env).toEqual(["A=own", "B=profile"]);
  expect(mounts.map(({ Target }) => Target)).toEqual(["/data", "/cache"]);
  expect(ports.map(({ containerPort }) => containerPort)).toEqual([8080, 9000]);
  expect(options.config).toMatchObject({ User: "5", Hostname: "h" });
  expect(options.host).toMatchObject({ Memory: 2 ** 30, PidsLimit: 100 });
});

it("changes nothing of a container where there is no profile", () => {
  const container = { image: "own:3", env: {}, ports: [], volumes: [], options: "--init" };

  expect(joinSettings(container, undefined, "other")).toEqual(container);
});
