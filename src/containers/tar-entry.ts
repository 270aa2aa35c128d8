import type { Header } from "tar-stream";

/** What a tar says of one file, folder or link; what is left out is tar-stream's choice. */
export type TarEntry = Partial<Header> & Pick<Header, "name">;
