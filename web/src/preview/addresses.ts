// Where the host serves what went on air, and what it kept of each batch (docs/preview.md).

export type Media = "output" | "original" | "processed" | "video";

/** An id has a colon, which stays as it is in an address. */
const base = (pipeline: string) => `/preview/${encodeURIComponent(pipeline).replaceAll("%3A", ":")}`;

/** The playlist of what goes on air. */
export function playlist(pipeline: string): string {
  return `${base(pipeline)}/index.m3u8`;
}

/** A file of a batch; with a name that a player or a folder of downloads can use. */
export function batchMedia(pipeline: string, batch: number, media: Media): string {
  return `${base(pipeline)}/batch/${batch}/${media}.mp4`;
}

/** Under which name a file of a batch is saved: tells where it is from. */
export function savedAs(pipeline: string, batch: number, media: Media): string {
  return `${pipeline.replaceAll(/[^\w.-]+/g, "-")}-${batch}-${media}.${media === "original" || media === "processed" ? "m4a" : "mp4"}`;
}
