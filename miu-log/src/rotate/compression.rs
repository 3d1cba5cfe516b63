//! How rotated files are compressed: the choice, and what their names say of it.

/// How rotated files are compressed.
///
/// A thread of lowest priority does it, after the rotation: into a file under a temporary name, which is synced and renamed before the
/// original is removed. A death at any moment loses no line, and the next start finishes what was begun.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Compression {
    /// They stay as they are.
    None,
    /// gzip, by the ending `.gz`. Log lines become a fifth to a sixth of their size.
    #[default]
    Gz,
    /// Zstandard, by the ending `.zst`: smaller, and several times as fast. It needs the cargo feature `zstd`, which needs a C
    /// compiler; without it, opening the repository is an error that says so.
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

    /// Whether this build can do it.
    pub(crate) fn is_available(self) -> bool {
        self != Compression::Zstd || cfg!(feature = "zstd")
    }
}

/// What takes a [`Compression`] also takes its name: `"gz"`, `"zstd"` or `"none"`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompressionChoice(Result<Compression, String>);

impl CompressionChoice {
    /// The compression that was chosen.
    ///
    /// # Errors
    ///
    /// A text that names what was given and what is accepted, or the feature that is missing.
    pub(crate) fn check(&self) -> Result<Compression, String> {
        let chosen = self.0.clone()?;
        if !chosen.is_available() {
            return Err(
                "Zstd: it needs the cargo feature \"zstd\" of miu-log, which this program is built without; \
                        switch it on, or choose Gz or None"
                    .to_owned(),
            );
        }
        Ok(chosen)
    }
}

impl Default for CompressionChoice {
    fn default() -> CompressionChoice {
        Compression::default().into()
    }
}

impl From<Compression> for CompressionChoice {
    fn from(compression: Compression) -> CompressionChoice {
        CompressionChoice(Ok(compression))
    }
}

impl From<&str> for CompressionChoice {
    fn from(text: &str) -> CompressionChoice {
        CompressionChoice(match text.trim().to_ascii_lowercase().as_str() {
            "gz" | "gzip" => Ok(Compression::Gz),
            "zst" | "zstd" => Ok(Compression::Zstd),
            "none" => Ok(Compression::None),
            _ => {
                let shown: String = text.chars().take(64).collect();
                Err(format!(
                    "{shown:?}: no compression is called so; \"gz\", \"zstd\" or \"none\" is expected"
                ))
            }
        })
    }
}

impl From<String> for CompressionChoice {
    fn from(text: String) -> CompressionChoice {
        CompressionChoice::from(text.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_compression_is_chosen_by_value_or_by_name() {
        let chosen = |choice: CompressionChoice| choice.check();
        assert_eq!(chosen(CompressionChoice::default()), Ok(Compression::Gz));
        assert_eq!(chosen(Compression::None.into()), Ok(Compression::None));
        assert_eq!(chosen("gzip".into()), Ok(Compression::Gz));
        assert_eq!(chosen("None".to_owned().into()), Ok(Compression::None));
        for wrong in ["zip", "", "gz2"] {
            let text = chosen(wrong.into()).unwrap_err();
            assert!(
                text.starts_with(&format!("{wrong:?}: no compression")) && text.contains("\"gz\", \"zstd\""),
                "{text}"
            );
        }
    }

    #[test]
    fn zstd_without_its_feature_is_an_error_that_names_it() {
        match CompressionChoice::from("zstd").check() {
            Ok(chosen) => assert!(cfg!(feature = "zstd") && chosen == Compression::Zstd),
            Err(text) => assert!(!cfg!(feature = "zstd") && text.contains("feature \"zstd\""), "{text}"),
        }
    }
}
