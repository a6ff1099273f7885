//! How sound with one number of channels becomes sound with another, as a filter of ffmpeg, at levels that do not depend
//! on the sample format.
//!
//! ffmpeg's own default makes one channel 3 dB quieter in two, and scales what is added up only where samples are
//! integers.

/// ffmpeg's name of the layout that goes on air with so many channels.
pub(crate) fn layout(channels: u32) -> &'static str {
    match channels {
        1 => "mono",
        6 => "5.1",
        8 => "7.1",
        _ => "stereo",
    }
}

/// The filter between so many channels and so many others, with a comma in front; nothing where ffmpeg's default has the
/// same levels. Samples are floats behind it: what is added up may be over full scale for a moment.
///
/// - One channel goes to both at its own level.
/// - Two become half of each: never over full scale, and the same level where both are alike.
/// - Surround to two: ITU-R BS.775-3, annex 4: centre and surrounds at -3 dB, without the LFE, not scaled down.
/// - Surround to one: half of each of these two.
pub(crate) fn mix(from: u32, to: u32) -> String {
    let side = |side: char| format!("F{side}+0.707107*FC+0.707107*B{side}+0.707107*S{side}");
    let pan = match (from, to) {
        (1, 2) => "stereo|c0=c0|c1=c0".to_owned(),
        (2, 1) => "mono|c0=0.5*c0+0.5*c1".to_owned(),
        (3..=8, 2) => format!("stereo|FL={}+0.5*BC|FR={}+0.5*BC", side('L'), side('R')),
        (3..=8, 1) => {
            "mono|FC=0.5*FL+0.5*FR+0.707107*FC+0.353553*BL+0.353553*BR+0.353553*SL+0.353553*SR+0.5*BC".to_owned()
        }
        _ => return String::new(),
    };
    format!(",aformat=sample_fmts=fltp,pan={pan}")
}
