//! How rotated files are compressed, as far as their names say so.

/// How rotated files are compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Compression {
    /// They stay as they are.
    None,
    /// gzip, by the ending `.gz`.
    #[default]
    Gz,
    /// Zstandard, by the ending `.zst`.
    Zstd,
}

impl Compression {
    /// What stands behind a compressed file's name; empty where nothing does.
    pub(crate) fn ending(self) -> &'static str {
        match self {
            Compression::None => "",
            Compression::Gz => ".gz",
            Compression::Zstd => ".zst",
        }
    }

    /// A name without the ending of compressed files, and which that was.
    pub(crate) fn split(name: &str) -> (&str, Option<Compression>) {
        for compression in [Compression::Gz, Compression::Zstd] {
            if let Some(name) = name.strip_suffix(compression.ending()) {
                return (name, Some(compression));
            }
        }
        (name, None)
    }
}
