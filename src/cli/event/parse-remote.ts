/**
 * Owner, name and server in the URL of a git remote, in each form git takes (`https:`, `ssh:`, `git@host:path`). A
 * folder on this machine is nobody's repository: `undefined`. Names and passwords in the URL are dropped.
 */
export function parseRemote(url: string): { repository: string; serverUrl: string } | undefined {
  const { server, path } = splitRemote(url.trim()) ?? {};
  const parts =
    path
      ?.replace(/\/+$/, "")
      .replace(/\.git$/, "")
      .split("/")
      .filter(Boolean) ?? [];
  const [owner, name] = parts.slice(-2);
  if (server === undefined || owner === undefined || name === undefined) return undefined;
  return { repository: `${owner}/${name}`, serverUrl: server };
}

function splitRemote(url: string): { server: string; path: string } | undefined {
  if (/^[a-z][a-z+]*:\/\//i.test(url)) return splitUrl(url);
  // What git takes for an SSH address: a colon before the first slash.
  const address = /^(?:[^@/]+@)?([^:/]+):(?!\/\/)(.+)$/.exec(url);
  if (address === null) return undefined;
  return { server: `https://${address[1]}`, path: address[2] ?? "" };
}

function splitUrl(url: string): { server: string; path: string } | undefined {
  if (!URL.canParse(url)) return undefined;
  const { protocol, host, hostname, pathname } = new URL(url);
  if (hostname === "") return undefined;
  switch (protocol) {
    case "http:":
    case "https:":
      return { server: `${protocol}//${host}`, path: pathname };
    case "ssh:":
    case "git:":
    case "git+ssh:":
      return { server: `https://${hostname}`, path: pathname };
    default:
      return undefined;
  }
}
