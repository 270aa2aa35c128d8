import { expect, it } from "@jest/globals";
import { executeJob } from "../../src/berth-runner.ts";
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
