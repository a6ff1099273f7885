//! Chooses which programme and which streams of a transport stream are taken, each time that its tables change.

use super::super::event::{Codec, Event, Notice, Stream, Streams, TrackKind};
use super::Parts;
use super::data::DataStream;
use super::media::Media;
use super::tables::{Elementary, Program};

impl Parts {
    /// Chooses the programme and its streams again, after the tables have changed.
    pub(super) fn choose(&mut self) {
        let program = self.best_program().cloned();
        self.program = program.as_ref().map(|program| program.number);
        let elementary = program.and_then(|program| program.map).map(|(_, streams)| streams).unwrap_or_default();
        let mut streams: Vec<Stream> = elementary.iter().map(announced).collect();
        for kind in [TrackKind::Video, TrackKind::Audio] {
            let now = self.seat(kind).as_ref().map(|media| u32::from(media.pid));
            let best = self.choice.best(kind, &streams, now).map(|best| (best.number, best.codec));
            for stream in &mut streams {
                stream.taken |= best.is_some_and(|(number, _)| number == stream.number);
            }
            let best = best.and_then(|(number, codec)| Some((u16::try_from(number).ok()?, codec)));
            self.take(kind, best);
        }
        let wanted: Vec<_> =
            elementary.iter().filter(|stream| DataStream::new(stream.pid, stream.codec).is_some()).collect();
        self.data.retain_mut(|known| {
            let stays = wanted.iter().any(|stream| (stream.pid, stream.codec) == (known.pid, known.codec));
            if !stays {
                known.end(&mut self.out);
            }
            stays
        });
        for stream in wanted {
            if self.data.iter().all(|known| known.pid != stream.pid) {
                self.data.extend(DataStream::new(stream.pid, stream.codec));
            }
        }
        self.assign();
        let programs = self.tables.programs.iter().map(|program| program.number).collect();
        let told = Streams { program: self.program, programs, streams };
        if self.told != told {
            self.told.clone_from(&told);
            self.out.tell(Event::Streams(told));
        }
    }

    /// Returns the best programme: the wished one, else the taken one while it has video or audio, else the first one
    /// with video, else the first one with audio.
    fn best_program(&self) -> Option<&Program> {
        let programs = &self.tables.programs;
        let has = |program: &Program, kind| {
            let streams = program.map.iter().flat_map(|(_, streams)| streams);
            streams.into_iter().any(|stream| stream.codec.kind() == Some(kind))
        };
        let wished = programs.iter().find(|program| Some(program.number) == self.choice.program);
        let now = || {
            let now = programs.iter().find(|program| Some(program.number) == self.program)?;
            let media = [TrackKind::Video, TrackKind::Audio].into_iter().any(|kind| has(now, kind));
            (media || now.map.is_none()).then_some(now)
        };
        let first = |kind| programs.iter().find(|program| has(program, kind));
        wished
            .or_else(now)
            .or_else(|| first(TrackKind::Video))
            .or_else(|| first(TrackKind::Audio))
            .or_else(|| programs.first())
    }

    /// Gives a track its stream: moves it to the new PID, or replaces it if the codec differs.
    fn take(&mut self, kind: TrackKind, best: Option<(u16, Codec)>) {
        let mut seat = self.seat(kind).take();
        match (&mut seat, best) {
            (Some(now), Some((pid, codec))) if now.codec == codec => {
                if now.pid != pid {
                    let (from, to) = (now.pid.into(), pid.into());
                    now.end(&mut self.out);
                    now.pid = pid;
                    self.out.notice(Notice::Moved { kind, from, to });
                }
            }
            (now, best) => {
                if let Some(now) = now {
                    now.end(&mut self.out);
                    now.count_open(&mut self.out);
                }
                seat = best.and_then(|(pid, codec)| Media::new(pid, codec));
            }
        }
        *self.seat(kind) = seat;
    }
}

fn announced(stream: &Elementary) -> Stream {
    let Elementary { pid, codec, language, encrypted } = stream;
    let (number, language) = (u32::from(*pid), language.clone());
    Stream { number, codec: *codec, language, encrypted: *encrypted, taken: false }
}
