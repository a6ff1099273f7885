// Plays the stream on air with hls.js, which is loaded only when the preview is visible. Waits for the first batch,
// recovers from errors by itself, and shows how far the video is behind air.

import type Hls from "hls.js";
import { exactly } from "../app/now.svelte.ts";
import { behind, isLive } from "./latency.ts";

export type Seen = "off" | "loading" | "waiting" | "playing" | "paused";

/** Delay between attempts while the playlist does not exist yet or the server does not answer. */
const AGAIN_AFTER_MS = 3_000;
/** Interval for reading the position. */
const LOOK_EVERY_MS = 500;
const ON = "outboard.preview";

export class Preview {
  readonly #url: string;
  #video: HTMLVideoElement | undefined;
  #hls: Hls | undefined;
  #again: ReturnType<typeof setTimeout> | undefined;
  #look: ReturnType<typeof setInterval> | undefined;

  seen = $state<Seen>("off");
  /** From being sent to being displayed, in milliseconds. */
  behindMs = $state<number | null>(null);
  live = $state(true);
  /** Whether all media is available: the pipeline has ended. */
  recording = $state(false);
  problem = $state<string | null>(null);

  constructor(url: string) {
    this.#url = url;
  }

  /** Whether this browser's user wants to see previews. */
  static wanted(): boolean {
    return localStorage.getItem(ON) === "yes";
  }

  attach(video: HTMLVideoElement): () => void {
    this.#video = video;
    return () => {
      this.#end();
      this.#video = undefined;
    };
  }

  async start(): Promise<void> {
    if (this.seen !== "off" || !this.#video) return;
    localStorage.setItem(ON, "yes");
    this.seen = "loading";
    const { default: Player } = await import("hls.js/light").catch(() => ({ default: undefined }));
    const video = this.#video;
    // Switched off, or removed from the screen, while hls.js was loading.
    if ((this.seen as Seen) !== "loading" || !video) return;
    if (!Player?.isSupported()) {
      this.seen = "off";
      this.problem = Player
        ? "This browser cannot play live video (it has no Media Source Extensions)."
        : "The player could not be loaded.";
      return;
    }
    const hls = new Player({ enableWorker: false, liveDurationInfinity: true, backBufferLength: 30 });
    this.#hls = hls;
    hls.on(Player.Events.MANIFEST_PARSED, () => {
      this.problem = null;
      // Muted video may play without a click; otherwise the player's button starts it.
      video.play().catch(() => undefined);
    });
    hls.on(Player.Events.LEVEL_UPDATED, (_, { details }) => {
      this.recording = !details.live;
    });
    hls.on(Player.Events.ERROR, (_, { fatal, type, response }) => {
      if (!fatal) return;
      if (type === Player.ErrorTypes.MEDIA_ERROR) {
        hls.recoverMediaError();
        return;
      }
      this.seen = "waiting";
      this.problem = response?.code === 404 ? null : "The preview cannot be loaded. Trying again.";
      clearTimeout(this.#again);
      this.#again = setTimeout(() => hls.loadSource(this.#url), AGAIN_AFTER_MS);
    });
    hls.loadSource(this.#url);
    hls.attachMedia(video);
    this.#look = setInterval(() => this.#tell(), LOOK_EVERY_MS);
  }

  stop(): void {
    localStorage.setItem(ON, "no");
    this.#end();
  }

  /** Seeks to the newest media that a player should show. */
  goLive(): void {
    const { liveSyncPosition } = this.#hls ?? {};
    if (!this.#video || typeof liveSyncPosition !== "number") return;
    this.#video.currentTime = liveSyncPosition;
    void this.#video.play().catch(() => undefined);
    this.#tell();
  }

  #tell(): void {
    const [video, hls] = [this.#video, this.#hls];
    if (!video || !hls || video.readyState < HTMLMediaElement.HAVE_CURRENT_DATA) return;
    this.seen = video.paused ? "paused" : "playing";
    this.behindMs = this.recording ? null : behind(hls.playingDate, exactly());
    this.live = !this.recording && isLive(video.currentTime, hls.liveSyncPosition);
  }

  #end(): void {
    clearTimeout(this.#again);
    clearInterval(this.#look);
    this.#hls?.destroy();
    this.#hls = undefined;
    this.seen = "off";
    this.behindMs = null;
    this.problem = null;
  }
}
