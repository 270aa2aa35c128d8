import { readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { expect, it } from "@jest/globals";

const ROOT = join(import.meta.dirname, "..");

type Room = { folder: string; mayImport: string[] };

// The table of docs/architecture.md: | `folder` | its one job | what it may import |
const rooms: Room[] = readFileSync(join(ROOT, "docs/architecture.md"), "utf8")
  .split("\n")
  .flatMap((line) => {
    const cells = line.split("|").map((cell) => cell.trim());
    const folder = cells[1]?.match(/^`([^`]+)`$/)?.[1];
    if (!folder || cells.length < 5) return [];
    return [
      {
        folder,
        mayImport: [...(cells[3] ?? "").matchAll(/`([^`]+)`|^(anything)$/g)].map(
          (m) => m[1] ?? m[2] ?? "",
        ),
      },
    ];
  });

const files = ["runner", "src"].flatMap((top) => sourceFiles(join(ROOT, top)));

it("has every source folder in the table of docs/architecture.md", () => {
  const folders = new Set(files.map((file) => dirname(relative(ROOT, file))));

  expect([...folders].filter((folder) => roomOf(folder) === undefined)).toEqual([]);
});

it("lists no folder that does not exist", () => {
  expect(rooms.filter(({ folder }) => !statSync(join(ROOT, folder)).isDirectory())).toEqual([]);
});

it("imports only what the table allows", () => {
  const stray = files.flatMap((file) => {
    const folder = dirname(relative(ROOT, file));
    const room = roomOf(folder);
    return importsOf(file)
      .map((name) => (name.startsWith(".") ? relative(ROOT, join(dirname(file), name)) : name))
      .filter((name) => !name.startsWith("node:") && !allowed(room, folder, name))
      .map((name) => `${relative(ROOT, file)} imports ${name}`);
  });

  expect(stray).toEqual([]);
});

/** The table's most specific folder that holds this one. */
function roomOf(folder: string): Room | undefined {
  return rooms
    .filter((room) => folder === room.folder || folder.startsWith(`${room.folder}/`))
    .filter((room) => room.folder.includes("/") || folder === room.folder)
    .sort((a, b) => b.folder.length - a.folder.length)[0];
}

function allowed(room: Room | undefined, folder: string, name: string): boolean {
  if (!room) return false;
  const target =
    name.startsWith("runner/") || name.startsWith("src/") ? roomOf(dirname(name)) : undefined;
  if (
    target?.folder === room.folder ||
    (target && folder.startsWith(target.folder) && target.folder.includes("/"))
  )
    return true;
  if (room.mayImport.includes("anything")) return true;
  return room.mayImport.some((entry) =>
    target ? entry === target.folder : name === entry || name.startsWith(`${entry}/`),
  );
}

function importsOf(file: string): string[] {
  const text = readFileSync(file, "utf8");
  return [
    ...text.matchAll(
      /^(?:import|export|\} from)\b(?:[^"';]*from)?\s*"([^"]+)"|\bimport\("([^"]+)"\)/gm,
    ),
  ].map((match) => match[1] ?? match[2] ?? "");
}

function sourceFiles(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return sourceFiles(path);
    return entry.name.endsWith(".ts") ? [path] : [];
  });
}
