// The build without subtitles, alternative audio and DRM, which a preview does not have. Its types are those of the
// full build.
declare module "hls.js/light" {
  export * from "hls.js";
  export { default } from "hls.js";
}
