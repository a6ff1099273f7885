// The build without subtitles, alternative audio and DRM, of which a preview has none. Its types are the whole's.
declare module "hls.js/light" {
  export * from "hls.js";
  export { default } from "hls.js";
}
