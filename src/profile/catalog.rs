//! Where profiles and checks are found by name: a folder on disk first, then the files embedded in the program.

use std::collections::BTreeSet;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use include_dir::{Dir, include_dir};

use super::problem::{Problem, Source};
use super::yaml::LARGEST;

static PROFILES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/profiles");
static CHECKS: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/checks");

/// The profiles and checks that are known by name.
#[derive(Debug, Clone, Default)]
pub struct Catalog {
    folder: Option<PathBuf>,
}

/// The two kinds of files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Profile,
    Check,
}

impl Kind {
    fn folder(self) -> &'static str {
        match self {
            Self::Profile => "profiles",
            Self::Check => "checks",
        }
    }

    fn embedded(self) -> &'static Dir<'static> {
        match self {
            Self::Profile => &PROFILES,
            Self::Check => &CHECKS,
        }
    }
}

/// Which of two files with the same name is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum From {
    /// The folder's, or else the embedded one.
    Anywhere,
    /// The embedded one, as when the folder's own file extends its namesake.
    Embedded,
}

impl Catalog {
    /// What is embedded in the program.
    #[must_use]
    pub fn built_in() -> Self {
        Self::default()
    }

    /// A folder that holds `checks/` or `profiles/` or both; its files stand before embedded ones of the same name.
    #[must_use]
    pub fn with_folder(folder: Option<PathBuf>) -> Self {
        Self { folder }
    }

    /// The names of all profiles, sorted.
    #[must_use]
    pub fn profile_names(&self) -> Vec<String> {
        self.names(Kind::Profile)
    }

    /// The ids of all checks, sorted.
    #[must_use]
    pub fn check_names(&self) -> Vec<String> {
        self.names(Kind::Check)
    }

    /// The kind (`profile` or `check`) and the YAML of what has this name; a profile comes first.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<(String, String)> {
        let of_kind = |kind, word: &str| {
            let source = self.find(kind, name, From::Anywhere)?.ok()?;
            Some((word.to_owned(), source.text))
        };
        of_kind(Kind::Profile, "profile").or_else(|| of_kind(Kind::Check, "check"))
    }

    /// What is wrong with the folder itself, if anything.
    pub(super) fn trouble(&self) -> Option<Problem> {
        let folder = self.folder.as_ref()?;
        let holds = |kind: Kind| folder.join(kind.folder()).is_dir();
        if holds(Kind::Profile) || holds(Kind::Check) {
            return None;
        }
        let what = if folder.is_dir() { "holds neither `checks/` nor `profiles/`" } else { "is not a folder" };
        let remedy = "name a folder with `checks/` or `profiles/` in it";
        Some(Problem::of_file(folder.display().to_string(), format!("the catalog folder {what}"), remedy))
    }

    fn names(&self, kind: Kind) -> Vec<String> {
        let embedded = kind.embedded().files().filter_map(|file| name_of(file.path()));
        let entries = self.folder.iter().filter_map(|folder| fs::read_dir(folder.join(kind.folder())).ok());
        let on_disk = entries.flatten().filter_map(|entry| name_of(&entry.ok()?.path()));
        let names: BTreeSet<String> = embedded.chain(on_disk).collect();
        names.into_iter().collect()
    }

    /// The file of this name; `None` where there is none.
    pub(super) fn find(&self, kind: Kind, name: &str, from: From) -> Option<Result<Source, Problem>> {
        if !is_name(name) {
            return None;
        }
        let file = format!("{name}.yaml");
        let on_disk = self.folder.as_ref().map(|folder| folder.join(kind.folder()).join(&file));
        if let Some(path) = on_disk.filter(|path| from == From::Anywhere && path.is_file()) {
            return Some(read(&path));
        }
        let text = kind.embedded().get_file(&file)?.contents_utf8()?;
        let name = format!("built-in {}/{file}", kind.folder());
        Some(Ok(Source { name, folder: None, text: text.to_owned() }))
    }
}

/// Whether a word may be the name of a profile or a check, and so is not a path.
pub(super) fn is_name(word: &str) -> bool {
    !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

fn name_of(path: &Path) -> Option<String> {
    let yaml = path.extension().is_some_and(|extension| extension == "yaml");
    path.file_stem().and_then(|stem| stem.to_str()).filter(|stem| yaml && is_name(stem)).map(str::to_owned)
}

/// Reads a file as text, within the size limit.
pub(super) fn read(path: &Path) -> Result<Source, Problem> {
    let name = path.display().to_string();
    let unreadable = |error: &std::io::Error| {
        let remedy = "check the path and that you may read the file; `bothways list` shows the built-in profiles";
        Problem::of_file(&name, format!("the file cannot be read: {error}"), remedy)
    };
    if path.is_dir() {
        return Err(Problem::of_file(&name, "this is a folder, not a file", "name the profile's file inside it"));
    }
    let file = fs::File::open(path).map_err(|error| unreadable(&error))?;
    let mut bytes = Vec::new();
    file.take(LARGEST as u64 + 1).read_to_end(&mut bytes).map_err(|error| unreadable(&error))?;
    let folder = path.parent().map(Path::to_owned);
    Ok(Source { text: decoded(&name, &bytes)?, name, folder })
}

/// The bytes as text: UTF-8, or UTF-16 with a byte order mark, as Windows writes it.
pub(super) fn decoded(name: &str, bytes: &[u8]) -> Result<String, Problem> {
    if bytes.len() > LARGEST {
        let message = format!("the file is larger than {} MB", LARGEST >> 20);
        return Err(Problem::of_file(name, message, "name a profile or a check; they have a few kB"));
    }
    let text = match bytes {
        [0xFF, 0xFE, rest @ ..] => utf16(rest, u16::from_le_bytes),
        [0xFE, 0xFF, rest @ ..] => utf16(rest, u16::from_be_bytes),
        [0xEF, 0xBB, 0xBF, rest @ ..] => std::str::from_utf8(rest).ok().map(str::to_owned),
        _ => std::str::from_utf8(bytes).ok().map(str::to_owned),
    };
    text.ok_or_else(|| {
        let line = 1 + bytes.utf8_chunks().next().map_or(0, |chunk| chunk.valid().matches('\n').count());
        let message = format!("line {line} is not text in UTF-8");
        Problem::of_file(name, message, "save the file as UTF-8 text")
    })
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Option<String> {
    let (pairs, rest) = bytes.as_chunks::<2>();
    let units = pairs.iter().map(|pair| unit(*pair));
    let text: Result<String, _> = char::decode_utf16(units).collect();
    text.ok().filter(|_| rest.is_empty())
}
