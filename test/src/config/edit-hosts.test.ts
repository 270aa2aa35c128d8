import { describe, expect, it } from "@jest/globals";
import { parse } from "yaml";
import { addHost, removeHost } from "../../../src/config/edit-hosts.ts";

const GPU = { name: "gpu-1", ssh: "ubuntu@10.0.0.5:2222", hostKey: "SHA256:abc/+x" };
const FILE = `# Our machines.
github:   {url: "https://github.com"}   # as it is
hosts:
    # Both are in the cellar.
    - name: one   # the small one
      ssh: me@one

    # The big one.
    # Ask before use.
    - name: two
      images:
        - debian:12 # pulled ahead

# The rest.
listen: "127.0.0.1:0"
`;

describe("addHost", () => {
  it("puts it at the end of the list, and leaves the rest to the letter", () => {
    const added = addHost(FILE, GPU);

    const lines = `    - name: gpu-1
      ssh: ubuntu@10.0.0.5:2222
      hostKey: SHA256:abc/+x
`;
    expect(added).toBe(FILE.replace("# pulled ahead\n", `# pulled ahead\n${lines}`));
  });

  it("makes a file of hosts alone where there is none", () => {
    expect(addHost(undefined, { name: "a", ssh: "b", identityFile: "/keys/my key: old" })).toBe(
      'hosts:\n  - name: a\n    ssh: b\n    identityFile: "/keys/my key: old"\n',
    );
  });

  it("names this machine, too, where a file meant it by naming none", () => {
    const added = addHost("listen: 127.0.0.1:0 # here", GPU);

    expect(added).toMatch(/^listen: 127\.0\.0\.1:0 # here\nhosts:\n/);
    expect(parse(added).hosts).toEqual([{ name: "here" }, GPU]);
  });

  it.each([
    "",
    "# nothing yet\n",
    "{}",
    "hosts: []\n",
    "hosts:\n",
    "hosts: [{ name: here }] # few\n",
  ])("takes %j as well", (text) => {
    expect(parse(addHost(text, GPU)).hosts).toEqual([{ name: "here" }, GPU]);
  });

  it("takes a list without indentation and without a last line end", () => {
    const added = addHost("hosts:\n- name: a\n  ssh: b", GPU);

    expect(added).toBe(
      "hosts:\n- name: a\n  ssh: b\n- name: gpu-1\n  ssh: ubuntu@10.0.0.5:2222\n  hostKey: SHA256:abc/+x\n",
    );
  });

  it("takes no name twice, and no file that is no YAML", () => {
    expect(() => addHost(FILE, { name: "two", ssh: "x" })).toThrow("There is a host two already.");
    expect(() => addHost("hosts: [", GPU)).toThrow("The configuration is no YAML");
  });
});

describe("removeHost", () => {
  it("takes out its lines and the comment above them, and nothing else", () => {
    const lines = `    # The big one.
    # Ask before use.
    - name: two
      images:
        - debian:12 # pulled ahead
`;
    expect(removeHost(FILE, "two")).toBe(FILE.replace(lines, ""));
  });

  it("keeps the comment that is about the list", () => {
    const removed = removeHost(FILE, "one");

    expect(removed).toContain("    # Both are in the cellar.\n\n    # The big one.");
    expect(parse(removed).hosts).toEqual([{ name: "two", images: ["debian:12"] }]);
  });

  it("undoes what was added", () => {
    expect(removeHost(addHost(FILE, GPU), "gpu-1")).toBe(FILE);
  });

  it("takes the list away with its last entry", () => {
    expect(parse(removeHost("listen: 127.0.0.1:0\nhosts:\n  - name: a\n", "a"))).toEqual({
      listen: "127.0.0.1:0",
    });
  });

  it("says which there are", () => {
    expect(() => removeHost(FILE, "three")).toThrow(
      expect.objectContaining({
        message: "There is no host three in the configuration.",
        remedy: "There are: one, two.",
      }),
    );
  });
});
