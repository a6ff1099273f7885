// The host's URLs of the preview and of each batch's files (docs/preview.md).

export type Media = "output" | "original" | "processed" | "video";

/** An id contains a colon, which is not escaped in the address. */
const base = (pipeline: string) => `/preview/${encodeURIComponent(pipeline).replaceAll("%3A", ":")}`;

/** The playlist of the stream on air. */
export function playlist(pipeline: string): string {
  return `${base(pipeline)}/index.m3u8`;
}

/** A file of a batch, with a name for players and downloads. */
export function batchMedia(pipeline: string, batch: number, media: Media): string {
  return `${base(pipeline)}/batch/${batch}/${media}.mp4`;
}

/** The name of a downloaded file, which shows its origin. */
export function savedAs(pipeline: string, batch: number, media: Media): string {
  return `${pipeline.replaceAll(/[^\w.-]+/g, "-")}-${batch}-${media}.${media === "original" || media === "processed" ? "m4a" : "mp4"}`;
}
