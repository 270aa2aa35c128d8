import { describe, expect, it } from "@jest/globals";
import { readWorkflow } from "../../../runner/workflow/read-workflow.ts";
import type { RunSnapshot } from "../../../src/adoption/run-facts.ts";
import { Policy } from "../../../src/config/policy.ts";
import { Profile } from "../../../src/config/profile.ts";
import { ContainerSettings } from "../../../src/containers/settings.ts";
import { judgeJob, judgeRequest, judgeRun } from "../../../src/policy/policy.ts";
import { aSnapshot } from "../adoption/run-snapshot.ts";

type PolicyInput = Parameters<typeof Policy.parse>[0];

function judgedRun(policy: object, facts: Partial<RunSnapshot> = {}, repository = "my-org/app") {
  return judgeRun(Policy.parse(policy), aSnapshot(facts), { repository })?.rule;
}

describe("a run", () => {
  const by = (actor: string, triggering = actor) => ({
    github: { ...aSnapshot().github, actor, triggering_actor: triggering },
  });
  const fromFork = { event: "pull_request", isFork: true, headRepository: "eve/app" };
  const dispatch = { event: "workflow_dispatch" };

  it.each<[string, PolicyInput & object, Partial<RunSnapshot>]>([
    ["by default", {}, {}],
    ["of a repository by pattern, in any case", { repositories: ["My-Org/*"] }, {}],
    ["of an event that is listed", { events: ["push"] }, {}],
    ["of a fork where forks may", { forks: "allow" }, fromFork],
    ["by a listed actor, in any case", { actors: ["Anna"] }, {}],
    ["by a bot", { actors: ["dependabot[bot]"] }, by("dependabot[bot]")],
    ["of a listed workflow", { workflows: [".github/workflows/*.yml"] }, {}],
    ["of a listed ref", { refs: ["refs/heads/**"] }, { ref: "refs/heads/feature/x" }],
    ["of a nested ref by default", {}, { ref: "refs/heads/feature/x" }],
    ["of a push, whoever its author", { authorAssociation: ["MEMBER"] }, {}],
    [
      "of a member's pull request",
      { authorAssociation: ["OWNER", "MEMBER"] },
      { event: "pull_request", authorAssociation: "MEMBER" },
    ],
  ])("may run %s", (_, policy, facts) => {
    expect(judgedRun(policy, facts)).toBeUndefined();
  });

  it.each<[string, PolicyInput & object, Partial<RunSnapshot>, string]>([
    ["another repository", { repositories: ["other/*"] }, {}, "repositories"],
    ["one taken away", { repositories: ["my-org/*", "!my-org/app"] }, {}, "repositories"],
    ["another event", { events: ["push"] }, dispatch, "events"],
    ["a fork", {}, fromFork, "forks"],
    ["a fork's pull_request_target", {}, { ...fromFork, event: "pull_request_target" }, "forks"],
    ["a fork that is gone", {}, { isFork: true, headRepository: null }, "forks"],
    [
      "a stranger's pull request",
      { forks: "allow", authorAssociation: ["MEMBER"] },
      { ...fromFork, authorAssociation: "NONE" },
      "authorAssociation",
    ],
    [
      "an author that is not known",
      { authorAssociation: ["MEMBER"] },
      { event: "issue_comment", payloadMissing: "gone" },
      "authorAssociation",
    ],
    ["another actor", { actors: ["ben"] }, {}, "actors"],
    ["who pressed re-run", { actors: ["anna"] }, by("anna", "eve"), "actors"],
    ["another bot", { actors: ["dependabot[bot]"] }, by("dependabotb"), "actors"],
    ["another workflow", { workflows: [".github/workflows/gpu.yml"] }, {}, "workflows"],
    ["another ref", { refs: ["refs/heads/main"] }, { ref: "refs/pull/1/merge" }, "refs"],
    ["a branch named like one", { refs: ["refs/tags/*"] }, { ref: "refs/heads/tags/v" }, "refs"],
  ])("is denied for %s", (_, policy, facts, rule) => {
    expect(judgedRun(policy, facts)).toBe(`policy.${rule}`);
  });

  it("is told the rule and what to do", () => {
    expect(judgeRun(Policy.parse({}), aSnapshot(fromFork), { repository: "my-org/app" })).toEqual({
      rule: "policy.forks",
      reason: "The run is for code of eve/app, which is another repository.",
      remedy: "policy.forks in berth.yml says what may run.",
    });
  });
});

/** Judges a job whose text is given. */
function judgedJob(
  yaml: string,
  {
    policy = {},
    profile,
    settings,
    image,
  }: { policy?: object; profile?: object; settings?: object; image?: string } = {},
) {
  const text = `on: push\njobs:\n  a: { runs-on: berth, ${yaml} }\n`;
  const [job] = readWorkflow({ file: "ci.yml", text }).jobs;
  if (job === undefined) throw new Error("no job");
  const denial = judgeJob(Policy.parse(policy), {
    job,
    profile: profile && Profile.parse(profile),
    settings: settings && ContainerSettings.parse({ image: "x", ...settings }),
    image,
  });
  return denial?.rule;
}
const STEPS = "steps: [{ run: echo }]";

describe("images", () => {
  it.each([
    ["python", "python"],
    ["python", "docker.io/library/python:3.12"],
    ["python", "library/python"],
    ["python", "index.docker.io/library/python"],
    ["python", "DOCKER.IO/library/python"],
    ["python", `python@sha256:${"a".repeat(64)}`],
    ["docker.io/library/python", "python:3"],
    ["python:3.*", "python:3.12"],
    [`python@sha256:${"a".repeat(64)}`, `python:3@sha256:${"a".repeat(64)}`],
    ["ghcr.io/my-org/*", "ghcr.io/my-org/tool:1"],
    ["ghcr.io/**", "ghcr.io/my-org/deep/tool"],
    ["*", "any.example.com:5000/x/y"],
  ])("pattern %s allows %s", (pattern, image) => {
    const policy = { images: [pattern] };

    expect(judgedJob(`container: "${image}", ${STEPS}`, { policy })).toBeUndefined();
  });

  it.each([
    [["python"], "evil/python"],
    [["python"], "ghcr.io/library/python"],
    [["python"], "localhost/library/python"],
    [["python"], "docker.io:444/library/python"],
    [["python"], "Python"],
    [["python:3.12"], "python:3.13"],
    [["python:3.12"], "python"],
    [["python:3.12"], `python:3.12@sha256:${"a".repeat(64)}`],
    [["python:*"], `python:3.12@sha256:${"a".repeat(64)}`],
    [["my-org/*"], "ghcr.io/my-org/tool"],
    [["my-org/*"], "my-org.example.com/my-org/tool"],
    [["**", "!evil/*"], "docker.io/evil/tool:1"],
    [["*", "!python"], "library/python:3"],
  ])("patterns %j deny %s", (images, image) => {
    expect(judgedJob(`container: "${image}", ${STEPS}`, { policy: { images } })).toBe(
      "policy.images",
    );
  });

  it.each([
    ["a container's", `container: { image: evil }, ${STEPS}`],
    ["a service's", `services: { ok: { image: good }, db: { image: evil } }, ${STEPS}`],
    ["a step's", "steps: [{ uses: docker://evil }]"],
    [
      "a mounted one",
      `container: { image: good, options: "--mount type=image,src=evil,dst=/x" }, ${STEPS}`,
    ],
  ])("%s is looked at", (_, yaml) => {
    expect(judgedJob(yaml, { policy: { images: ["good"] } })).toBe("policy.images");
  });

  it("of a label is looked at, of the profile and of none is not", () => {
    const policy = { images: ["good"] };

    expect(judgedJob(STEPS, { policy, image: "evil" })).toBe("policy.images");
    expect(judgedJob(STEPS, { policy, image: "good:1" })).toBeUndefined();
    expect(
      judgedJob(STEPS, { policy, image: "own", profile: { container: { image: "own" } } }),
    ).toBeUndefined();
    expect(judgedJob(`container: "", ${STEPS}`, { policy })).toBeUndefined();
  });
});

const inContainer = (field: string) => `container: { image: x, ${field} }, ${STEPS}`;
const inService = (field: string) => `services: { db: { image: x, ${field} } }, ${STEPS}`;

describe("paths of the host", () => {
  const policy = { hostPaths: ["/data", "/mnt/x/"] };

  it.each([
    'volumes: ["/data:/d"]',
    'volumes: ["/data/sets:/d:ro", "cache:/c", "/anonymous"]',
    'volumes: ["/mnt/x/./y/../z:/d:z"]',
    'options: "-v /data/a:/a --mount type=bind,src=/mnt/x,dst=/y --tmpfs /t"',
    'options: "--mount type=volume,src=v,dst=/v,volume-opt=type=none,volume-opt=o=bind,volume-opt=device=/data"',
  ])("may be mounted: %s", (field) => {
    expect(judgedJob(inContainer(field), { policy })).toBeUndefined();
    expect(judgedJob(inService(field), { policy })).toBeUndefined();
  });

  it.each([
    'volumes: ["/:/x"]',
    'volumes: ["/etc:/x:ro"]',
    'volumes: ["/data/../etc:/x"]',
    'volumes: ["/database:/x"]',
    'volumes: ["/data/..:/x:Z"]',
    'volumes: ["//etc:/x"]',
    'volumes: ["/var/run/docker.sock:/var/run/docker.sock"]',
    'options: "-v /:/x"',
    'options: "-v=/etc:/x"',
    'options: "-v/etc:/x"',
    'options: "-itv /etc:/x"',
    'options: "--volume=/etc:/x"',
    'options: "--mount type=bind,source=/etc,target=/x"',
    "options: '--mount \"TYPE=bind,src=/etc,dst=/x\"'",
    'options: "--mount type=volume,src=v,dst=/v,volume-opt=type=none,volume-opt=o=bind,volume-opt=device=/etc"',
  ])("are denied: %s", (field) => {
    expect(judgedJob(inContainer(field), { policy })).toBe("policy.hostPaths");
    expect(judgedJob(inService(field), { policy })).toBe("policy.hostPaths");
  });

  it("count for a profile, too, whatever its matrix leads to", () => {
    const volumes = (source: string) => ({ volumes: [{ source, target: "/d" }] });

    expect(judgedJob(STEPS, { policy, settings: volumes("/data/a") })).toBeUndefined();
    expect(judgedJob(STEPS, { policy, settings: volumes("/data/../etc") })).toBe(
      "policy.hostPaths",
    );
    expect(judgedJob(STEPS, { policy, settings: { options: "-v /etc:/x" } })).toBe(
      "policy.hostPaths",
    );
  });
});

describe("options", () => {
  const asking: [string, string][] = [
    ["privileged", "--privileged"],
    ["privileged", "--privileged=true"],
    ["network", "--network=host"],
    ["network", "--network host"],
    ["network", "--net host"],
    ["network", "--network name=host"],
    ["network", "--network container:abc"],
    ["pid", "--pid=host"],
    ["pid", "--pid container:abc"],
    ["ipc", "--ipc=host"],
    ["ipc", "--ipc container:abc"],
    ["device", "--device /dev/sda"],
    ["device", "--device nvidia.com/gpu=all"],
    ["device", "--device-cgroup-rule 'c 1:3 rwm'"],
    ["device", "--gpus driver=cdi,device=nvidia.com/gpu=all"],
    ["cap-add", "--cap-add SYS_ADMIN"],
    ["security-opt", "--security-opt seccomp=unconfined"],
    ["security-opt", "--security-opt no-new-privileges=false"],
  ];
  const quoted = (options: string) => `options: ${JSON.stringify(options)}`;

  it.each(asking)("need the permission %s of the profile: %s", (permission, options) => {
    const policy = { privileged: "allow" };
    const allowing = { policy, profile: { allow: [permission] } };
    const others = asking.map(([other]) => other).filter((other) => other !== permission);
    const rule = `options.${permission}`;

    expect(judgedJob(inContainer(quoted(options)), { policy })).toBe(rule);
    expect(judgedJob(inService(quoted(options)), { policy })).toBe(rule);
    expect(judgedJob(inContainer(quoted(options)), { policy, profile: { allow: others } })).toBe(
      rule,
    );
    expect(judgedJob(inContainer(quoted(options)), allowing)).toBeUndefined();
  });

  it.each([
    ["network", "--network berth-other-job"],
    ["volumes-from", "--volumes-from abc"],
    ["volume-driver", "--volume-driver nfs"],
    ["volume-driver", "--mount type=volume,src=v,dst=/v,volume-driver=x"],
    [
      "volume-driver",
      "--mount type=volume,src=v,dst=/v,volume-opt=type=nfs,volume-opt=o=addr=1.2.3.4,volume-opt=device=:/x",
    ],
    ["volume", "-v berth-action-abc:/x"],
    ["volume", "-v berth-node-abc:/x:z"],
    ["link", "--link abc"],
    ["runtime", "--runtime nvidia"],
    ["userns", "--userns host"],
    ["uts", "--uts host"],
    ["cgroupns", "--cgroupns host"],
    ["cgroup-parent", "--cgroup-parent /"],
    ["oom-kill-disable", "--oom-kill-disable"],
    ["oom-score-adj", "--oom-score-adj -1000"],
  ])("no profile allows: %s, %s", (option, options) => {
    const allow = ["privileged", "network", "pid", "ipc", "device", "cap-add", "security-opt"];
    const given = { policy: { privileged: "allow" }, profile: { allow } };

    expect(judgedJob(inContainer(quoted(options)), given)).toBe(`options.${option}`);
  });

  it.each([
    "--gpus all --cpus 2 --memory 1g --shm-size 1g --ulimit nofile=1024",
    "--network none",
    "--network bridge",
    "--network my-net --network-alias db",
    "--privileged=false --ipc private --cap-drop ALL --security-opt no-new-privileges",
    "--health-cmd 'pg_isready' --health-interval 5s -e A=b -p 8080:80 --user 1000 --cgroupns private",
  ])("may be: %s", (options) => {
    expect(judgedJob(inContainer(quoted(options)))).toBeUndefined();
  });

  it.each(["--no-such", "--env-file /etc/passwd", "-v ../x:/x", "-v 'open"])(
    "that cannot be read are denied: %s",
    (options) => {
      expect(judgedJob(inContainer(quoted(options)))).toBe("options");
    },
  );

  it("that only an expression knows wait for the request", () => {
    const yaml = inContainer('options: "${{ vars.X }}", volumes: ["${{ vars.Y }}"]');

    expect(judgedJob(yaml)).toBeUndefined();
  });
});

it("lets a profile be privileged, or allow it, only where the policy does", () => {
  const asks = inContainer('options: "--privileged"');
  const profile = { allow: ["privileged"] };
  const allows = { privileged: "allow" };

  expect(judgedJob(asks, { profile })).toBe("policy.privileged");
  expect(judgedJob(asks, { profile, policy: allows })).toBeUndefined();
  expect(judgedJob(STEPS, { settings: { privileged: true } })).toBe("policy.privileged");
  expect(judgedJob(STEPS, { settings: { options: "--privileged" } })).toBe("policy.privileged");
  expect(judgedJob(STEPS, { settings: { privileged: true }, policy: allows })).toBeUndefined();
  expect(
    judgedJob(STEPS, { settings: { options: "--pid host", network: { mode: "host" } } }),
  ).toBeUndefined();
});

describe("what a running job asks for", () => {
  const spec = { image: "good", env: {}, ports: [], volumes: [], options: "" };
  const place = { jobId: "1-1.a", runId: "1-1", repository: "app", labels: ["berth"] };
  const policy = Policy.parse({ images: ["good"] });
  const ruleOf = (request: Parameters<typeof judgeRequest>[2], profile?: Profile) =>
    judgeRequest(policy, profile, request)?.rule;

  it("is judged by its values", () => {
    expect(ruleOf(place)).toBeUndefined();
    expect(ruleOf({ ...place, container: spec })).toBeUndefined();
    expect(ruleOf({ ...place, container: { ...spec, image: "evil" } })).toBe("policy.images");
    expect(ruleOf({ ...place, container: { ...spec, volumes: ["/etc:/x"] } })).toBe(
      "policy.hostPaths",
    );
    const options = "--network=host";
    expect(ruleOf({ ...place, container: { ...spec, options } })).toBe("options.network");
    const profile = Profile.parse({ allow: ["network"] });
    expect(ruleOf({ ...place, container: { ...spec, options } }, profile)).toBeUndefined();
  });

  it("names the service", () => {
    const services = [
      { id: "ok", ...spec },
      { id: "db", ...spec, options: "--pid host" },
    ];

    expect(judgeRequest(policy, undefined, services)).toEqual({
      rule: "options.pid",
      reason: "`services.db` asks for --pid host, which the job's profile does not allow.",
      remedy: 'Take it out, or use a profile with "allow: [pid]".',
    });
  });

  it("covers docker actions", () => {
    expect(ruleOf({ image: "good:1" })).toBeUndefined();
    expect(ruleOf({ image: "docker://evil" })).toBe("policy.images");
  });
});
