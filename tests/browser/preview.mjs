// Plays a preview with hls.js in Chromium and prints the result as one line of JSON.
//
//   node preview.mjs PLAYLIST-URL SECONDS
//
// Ends after this many seconds of media, when the player gives up, or after three times that time.

import { createRequire } from 'node:module';
import { chromium } from 'playwright-core';

const [url, seconds] = [process.argv[2], Number(process.argv[3])];
const hls = createRequire(import.meta.url).resolve('hls.js/dist/hls.min.js');
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--autoplay-policy=no-user-gesture-required'],
});
try {
  // The server's own content policy forbids scripts from elsewhere.
  const page = await (await browser.newContext({ bypassCSP: true })).newPage();
  await page.goto(new URL('/livez', url).href);
  await page.addScriptTag({ path: hls });
  const seen = await page.evaluate(
    ([url, seconds]) =>
      new Promise((done) => {
        const video = document.createElement('video');
        video.muted = true;
        document.body.append(video);
        const player = new globalThis.Hls({ debug: false });
        const seen = { errors: [], files: [], sequences: [], played: 0, supported: globalThis.Hls.isSupported() };
        let [from, timer] = [undefined, undefined];
        const end = () => {
          clearInterval(timer);
          const quality = video.getVideoPlaybackQuality();
          const buffered = Array.from({ length: video.buffered.length }, (_, n) => [
            video.buffered.start(n),
            video.buffered.end(n),
          ]);
          done({ ...seen, buffered, frames: quality.totalVideoFrames, width: video.videoWidth });
        };
        player.on(globalThis.Hls.Events.ERROR, (_, { type, details, fatal, error }) => {
          seen.errors.push({ type, details, fatal, words: String(error) });
          if (fatal) end();
        });
        player.on(globalThis.Hls.Events.FRAG_BUFFERED, (_, { frag }) => {
          if (frag.sn === 'initSegment') return;
          seen.sequences.push(frag.sn);
          if (!seen.files.includes(frag.relurl)) seen.files.push(frag.relurl);
        });
        player.on(globalThis.Hls.Events.MANIFEST_PARSED, () => video.play());
        video.addEventListener('timeupdate', () => {
          if (video.currentTime === 0) return;
          from ??= video.currentTime;
          seen.played = video.currentTime - from;
          if (seen.played >= seconds) end();
        });
        timer = setTimeout(end, seconds * 3000);
        player.loadSource(url);
        player.attachMedia(video);
      }),
    [url, seconds],
  );
  console.log(JSON.stringify(seen));
} finally {
  await browser.close();
}
