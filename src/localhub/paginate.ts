import type { Json } from "../../runner/expressions/template.ts";
import { invalidRequest } from "./refusal.ts";
import type { Call, Reply } from "./route.ts";

const MAX_PER_PAGE = 100;
const DEFAULT_PER_PAGE = 30;

/** One page of a list as `?per_page` and `?page` ask, with `Link`; `wrap` puts it where GitHub has it. */
export function paginate<Item>(
  { query, url }: Pick<Call, "query" | "url">,
  items: readonly Item[],
  show: (item: Item) => Json,
  wrap: (page: Json[], total: number) => Json = (page) => page,
): Reply {
  const perPage = perPageOf(query);
  const page = Math.max(1, Number(query.get("page") ?? 1) || 1);
  const last = Math.max(1, Math.ceil(items.length / perPage));
  const shown = items.slice((page - 1) * perPage, page * perPage);

  const links: { [rel: string]: number } = {};
  if (page > 1) Object.assign(links, { prev: page - 1 });
  if (page < last) Object.assign(links, { next: page + 1, last });
  if (page > 1) Object.assign(links, { first: 1 });
  const body = wrap(shown.map(show), items.length);
  const header = linkHeader(url, "page", links);
  return { status: 200, body, ...(header !== "" && { headers: { Link: header } }) };
}

/** Like `{ total_count, [name]: [...] }`. */
export function counted(name: string): (page: Json[], total: number) => Json {
  return (page, total) => ({ total_count: total, [name]: page });
}

/** One page of a list that is walked by cursor, newest first; each item has an id. */
export function paginateByCursor<Item extends { readonly id: number }>(
  { query, url }: Pick<Call, "query" | "url">,
  items: readonly Item[],
  show: (item: Item) => Json,
): Reply {
  const perPage = perPageOf(query);
  const cursor = query.get("cursor");
  const at = cursor === null ? 0 : items.findIndex(({ id }) => cursor === cursorOf(id));
  if (at < 0) throw invalidRequest([`Invalid cursor: ${cursor}`]);
  const next = items[at + perPage];
  const headers = next && { Link: linkHeader(url, "cursor", { next: cursorOf(next.id) }) };
  const body = items.slice(at, at + perPage).map(show);
  return { status: 200, body, ...(headers && { headers }) };
}

function perPageOf(query: URLSearchParams): number {
  const asked = Number(query.get("per_page") ?? DEFAULT_PER_PAGE);
  return Number.isInteger(asked) && asked > 0 ? Math.min(asked, MAX_PER_PAGE) : DEFAULT_PER_PAGE;
}

function cursorOf(id: number): string {
  return `v1_${id}`;
}

function linkHeader(
  url: URL,
  parameter: string,
  links: { readonly [rel: string]: number | string },
): string {
  return Object.entries(links)
    .map(([rel, value]) => {
      const target = new URL(url);
      target.searchParams.set(parameter, String(value));
      return `<${target.href}>; rel="${rel}"`;
    })
    .join(", ");
}
