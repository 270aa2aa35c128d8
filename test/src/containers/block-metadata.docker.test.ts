import { hostname } from "node:os";
import { expect, it } from "@jest/globals";
import { blockMetadata, METADATA_ADDRESSES } from "../../../src/containers/block-metadata.ts";
import { jobLabels, OWNER_LABEL } from "../../../src/containers/labels.ts";
import { jobImage, testEngine } from "../../engine.ts";

it("removes the helper that a service left which died in the middle of it", async () => {
  const { docker } = await testEngine();
  const image = await jobImage();
  const labels = jobLabels({ kind: "step", jobId: "block-metadata", runId: "none" });
  const dead = `${hostname()}:999999999:1/1/1`;
  const { id } = await docker.createContainer({
    Image: image,
    Labels: { ...labels, [OWNER_LABEL]: dead },
  });

  const options = { image, addresses: METADATA_ADDRESSES };
  await blockMetadata(docker, options, AbortSignal.timeout(60_000));

  await expect(docker.getContainer(id).inspect()).rejects.toMatchObject({ statusCode: 404 });
});
