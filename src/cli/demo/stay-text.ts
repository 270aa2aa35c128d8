import { basename, relative } from "node:path";
import { EXAMPLE } from "./example-repository.ts";
import type { Demo } from "./open-demo.ts";

/** What can be done with a demo that stays. The token in it is good for this hub only, and for as long as it lives. */
export function stayText({ hub, service, configFile }: Demo): string {
  const berth = commandName(process.argv[1] ?? "");
  const [, name] = EXAMPLE.split("/");
  return `
The demo stays, and goes on telling. In another terminal:

  git clone ${hub.cloneUrl(EXAMPLE)}
  cd ${name} && git commit --allow-empty --message "Once more" && git push

  ${berth} jobs ls --all -c ${configFile}
  ${berth} jobs logs ID -c ${configFile}

GitHub   ${hub.url} (its API: ${hub.apiUrl})
webhook  ${service.url}/webhooks/github

Containers cannot reach this GitHub, which listens on 127.0.0.1 only: workflows here do without actions/checkout.
Ctrl-C ends it all and removes it.

`;
}

/** As it is typed here. */
function commandName(script: string): string {
  return basename(script) === "berth" ? "berth" : `node ${relative(process.cwd(), script)}`;
}
