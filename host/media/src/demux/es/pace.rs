//! Times of pictures for which the source tells none: the frame rate, and the place in output order.

use super::super::clock::Times;
use super::h264::Picture;

/// Ticks of 90 kHz of a frame where nothing tells: 25 frames a second.
const FRAME_TICKS: i64 = 3600;

/// What is known of the pictures so far.
#[derive(Debug, Clone, Default)]
pub struct Pace {
    last: Option<Times>,
    /// Ticks from one frame to the next, as seen.
    step: Option<i64>,
    /// Pictures since the last time that was read.
    since: i64,
    /// The last decoding time that was read.
    read: Option<i64>,
    /// A presentation time that was read, and the picture's place in output order.
    anchor: Option<(i64, i64)>,
    /// Presentation minus decoding time of the last key frame that had both.
    delay: i64,
    /// Bytes of the last picture.
    pub bytes: usize,
}

impl Pace {
    /// Takes the times that the source tells.
    pub fn read(&mut self, times: Times, picture: &Picture) -> Times {
        if let Some(read) = self.read {
            self.step = Some((times.dts - read) / (self.since + 1)).filter(|step| *step > 0).or(self.step);
        }
        (self.read, self.since, self.last) = (Some(times.dts), 0, Some(times));
        self.anchor = picture.order.map(|order| (times.pts, order));
        if picture.idr || picture.recovery.is_some() {
            self.delay = times.pts - times.dts;
        }
        times
    }

    /// Works out the times of the next picture. `None`: there was none with times before it.
    pub fn next(&mut self, picture: &Picture, ticks: Option<i64>) -> Option<Times> {
        let last = self.last?;
        let step = ticks.or(self.step).unwrap_or(FRAME_TICKS);
        self.since += 1;
        let dts = last.dts + step;
        let ordered = match (picture.order, self.anchor) {
            // Output order begins anew.
            (Some(order), _) if picture.idr => {
                self.anchor = Some((dts + self.delay, order));
                Some(dts + self.delay)
            }
            // It counts fields.
            (Some(order), Some((pts, at))) => Some(pts + (order - at) * step / 2),
            _ => None,
        };
        let pts = ordered.filter(|pts| *pts >= dts).unwrap_or(dts + last.pts - last.dts);
        self.last = Some(Times { pts, dts });
        self.last
    }

    /// Forgets all times and rates; the size of the last picture stays.
    pub fn reset(&mut self) {
        *self = Self { bytes: self.bytes, ..Self::default() };
    }
}
