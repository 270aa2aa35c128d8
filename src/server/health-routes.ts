import type { Route } from "./route.ts";
import type { ServiceApi } from "./service-api.ts";

/** `/healthz`: the process answers. `/readyz`: each of its loops goes round, too. */
export function healthRoutes(heartbeats: ServiceApi["heartbeats"]): Route[] {
  return [
    { method: "GET", path: "/healthz", handle: () => ({ status: 200, body: { status: "ok" } }) },
    {
      method: "GET",
      path: "/readyz",
      handle() {
        const loops = heartbeats().map((beat) => ({ ...beat, isLate: beat.ageMs > beat.limitMs }));
        const isReady = loops.every(({ isLate }) => !isLate);
        return {
          status: isReady ? 200 : 503,
          body: { status: isReady ? "ready" : "not ready", loops },
        };
      },
    },
  ];
}
