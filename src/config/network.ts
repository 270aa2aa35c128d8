import { z } from "zod";

const HostAndPort = z
  .string()
  .regex(
    /^[a-zA-Z0-9.-]+(:\d{1,5})?$/,
    "must be a name, like ghcr.io or registry.example.com:5000",
  );

const Registry = z.strictObject({
  host: HostAndPort.describe("Its name as it stands before an image's."),
  username: z.string().min(1).optional().describe("Who to log in as."),
  password: z.string().min(1).optional().describe('Its password or token, as "${NAME}".'),
  passwordFile: z.string().min(1).optional().describe("File with it instead."),
  mirrors: z
    .array(HostAndPort)
    .default([])
    .describe("Registries with the same images, asked first, in this order."),
});

const ProxyUrl = z.string().regex(/^https?:\/\/\S+$/, "must be a URL, like http://proxy:3128");

/** What machines need to reach the world outside: keys of `berth.yml`. */
export const Network = z.object({
  registries: z
    .array(Registry)
    .default([])
    .describe("Where images come from that need a login or have mirrors."),
  proxy: z
    .strictObject({
      http: ProxyUrl.optional().describe("For http:// addresses."),
      https: ProxyUrl.optional().describe("For https:// addresses."),
      no: z.array(z.string().min(1)).default([]).describe("Names that are reached without it."),
    })
    .optional()
    .describe("Proxy of the service and of jobs, as HTTP_PROXY, HTTPS_PROXY and NO_PROXY."),
  caFile: z
    .string()
    .min(1)
    .optional()
    .describe("Certificates to trust beside the system's, in the service and in jobs."),
});
export type Network = z.infer<typeof Network>;
