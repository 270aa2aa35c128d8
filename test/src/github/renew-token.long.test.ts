import { expect, it } from "@jest/globals";
import { z } from "zod";
import { connectApi } from "../../../src/github/ask-github.ts";
import { createAgent } from "../../../src/github/create-agent.ts";
import { startLocalHub } from "../../../src/localhub/start-local-hub.ts";
import { keptLog } from "./opened-app.ts";

// Long, since Octokit gives a new token some seconds to be known everywhere before it believes a 401.
it("makes a new token when its own has ended before its time", async () => {
  await using hub = await startLocalHub();
  const agent = createAgent({ env: {}, silenceMs: 30_000 });
  const api = connectApi({
    ...{ apiUrl: hub.apiUrl, appId: hub.app.id, privateKey: hub.app.privateKey },
    ...{ installationId: hub.installationIdOf("octo"), agent, log: keptLog().log },
    ...{ maxAttempts: 1, secondMs: 1, writeGapMs: 0 },
  });
  const question = { what: "Asking", answer: z.unknown() };

  await api.ask("DELETE /installation/token", question);
  const repositories = await api.ask("GET /installation/repositories", question);
  await (await agent).destroy();

  expect(repositories).toMatchObject({ total_count: 1 });
});
