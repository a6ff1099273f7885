//! Computes times for pictures without timestamps, from the frame rate and the output order.

use super::super::clock::Times;
use super::h264::Picture;

/// Duration of a frame in ticks of 90 kHz if no frame rate is known: 25 frames per second.
const FRAME_TICKS: i64 = 3600;

/// Times and rates of the pictures up to now.
#[derive(Debug, Clone, Default)]
pub struct Pace {
    last: Option<Times>,
    /// Ticks of 90 kHz from one frame to the next, measured between times that were read.
    step: Option<i64>,
    /// Number of pictures since the last time that was read.
    since: i64,
    /// The last decoding time that was read, in ticks of 90 kHz.
    read: Option<i64>,
    /// The last presentation time that was read, and the output order of its picture.
    anchor: Option<(i64, i64)>,
    /// Presentation minus decoding time of the last key frame with timestamps, in ticks of 90 kHz.
    delay: i64,
    /// Size of the last picture in bytes.
    pub bytes: usize,
}

impl Pace {
    /// Records the times that the source sent for a picture, and returns them.
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

    /// Computes the times of the next picture. `None` if no earlier picture had times.
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
