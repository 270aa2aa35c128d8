/** Runs a job with services in a process of its own, or comes back to it: `services-driver.ts FOLDER JOB`. Made to be killed. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Template } from "../../runner/expressions/template.ts";
import { executeJob } from "../../runner/job/execute-job.ts";
import type { JobDescription } from "../../runner/job/job-description.ts";
import type { JobEvent } from "../../runner/job/job-event.ts";
import { containerPlaces } from "../../src/container-places.ts";
import { openJobJournal } from "../../src/store/job-journal.ts";
import { testMachine } from "../engine.ts";

const [folder = "", id = ""] = process.argv.slice(2);
const { engine, jobImage, nodeVolume } = await testMachine();
await using journal = await openJobJournal(join(folder, "journal"));
const events: JobEvent[] = await Array.fromAsync(journal.told());

/** Counts how often it was visited: a service that was started twice would begin anew. */
const COUNTER = `
import http.server
class Counter(http.server.BaseHTTPRequestHandler):
    visits = 0
    def do_GET(self):
        Counter.visits += 1
        self.send_response(200); self.end_headers(); self.wfile.write(b"visit %d" % Counter.visits)
http.server.ThreadingHTTPServer(("", 8000), Counter).serve_forever()`;

const service: Template = {
  map: [
    ["image", jobImage],
    ["env", { map: [["PROGRAM", COUNTER]] }],
    ["ports", { seq: ["8080:8000"] }],
    ["entrypoint", "python3"],
    ["command", `-c "import os; exec(os.environ['PROGRAM'])"`],
    ["options", `--health-cmd "bash -c ': < /dev/tcp/localhost/8000'" --health-interval 100ms`],
  ],
};
const STEPS = 8;
const job: JobDescription = {
  id,
  runId: `run-${id}`,
  job: "visits",
  name: "visits",
  labels: ["ubuntu-latest"],
  contexts: {
    github: { repository: "local/visits", event: {}, workspace: "" },
    needs: {},
    strategy: {},
    matrix: null,
    inputs: null,
    vars: {},
  },
  secrets: {},
  env: [],
  defaults: {},
  services: { map: [["counter", service]] },
  steps: Array.from({ length: STEPS }, (_, index) => ({
    kind: "run",
    id: `s${index}`,
    if: "success()",
    run: {
      expr: `format('sleep 0.2; curl -sS "http://localhost:{0}/"; echo', job.services.counter.ports[8000])`,
    },
  })),
  timeoutMinutes: 10,
  workflowFile: ".github/workflows/visits.yml",
};

if (!journal.isFinished) {
  const openPlace = containerPlaces({
    engine,
    hostName: "here",
    nodeVolume,
    jobImage,
    imageFor: () => jobImage,
    onLeak: ({ kind, id, cause }) => console.error("left behind", kind, id, cause),
  });
  const report = (event: JobEvent) => {
    journal.record(event);
    events.push(event);
  };
  await executeJob(job, { openPlace, report, journal }, new AbortController().signal);
}
writeFileSync(join(folder, "events.json"), JSON.stringify(events));
