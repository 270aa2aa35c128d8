import { expect, it } from "@jest/globals";
import { createContainer, executeJob, removeContainer } from "../../src/berth-runner.ts";
import { jobImage, makeTestImages } from "../engine.ts";
import { temporaryRepository } from "./cli/temporary-repository.ts";

it("has services on the localhost of a job whose image was given", async () => {
  await makeTestImages();
  using repository = temporaryRepository({});
  const web = {
    image: "berth-test/busybox:latest",
    ports: ["8080:7000"],
    entrypoint: "/bin/busybox",
    command: "httpd -f -p 7000 -h /tmp",
  };
  const ask = "until curl --silent --output /dev/null http://localhost:8080/; do sleep 0.1; done";
  const job = { services: { web }, "timeout-minutes": 1, steps: [{ run: ask }] };

  const ended = await executeJob(job, { folder: repository.root, image: await jobImage() });

  expect(ended).toMatchObject({ conclusion: "success" });
});

it("makes a container that stays, and removes it", async () => {
  await makeTestImages();
  const request = {
    image: "berth-test/busybox:latest",
    entrypoint: "/bin/busybox",
    command: ["httpd", "-f", "-p", "7000", "-h", "/tmp"],
    ports: ["7000"],
  };

  const made = await createContainer(request);
  const asked = await fetch(`http://127.0.0.1:${made.ports[0]?.hostPort}/`);
  const removed = await removeContainer(made.name);

  expect(made).toMatchObject({ state: "running", gpuEnabled: false, user: null });
  expect(asked.status).toBe(404);
  expect(removed).toMatchObject({ id: made.id, failed: [] });
});
