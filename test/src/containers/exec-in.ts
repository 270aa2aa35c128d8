import { PassThrough } from "node:stream";
import { text } from "node:stream/consumers";
import type Docker from "dockerode";

/** What a program prints that is run in a container, both streams, and how it ends. */
export async function execIn(
  docker: Docker,
  containerId: string,
  argv: string[],
): Promise<{ output: string; exitCode: number | null }> {
  const exec = await docker
    .getContainer(containerId)
    .exec({ Cmd: argv, AttachStdout: true, AttachStderr: true });
  const stream = await exec.start({});
  const output = new PassThrough();
  docker.modem.demuxStream(stream, output, output);
  stream.on("end", () => output.end());
  const printed = await text(output);
  const { ExitCode: exitCode } = await exec.inspect();
  return { output: printed, exitCode };
}
