//! What ffmpeg may reach, and how a hung one ends.
