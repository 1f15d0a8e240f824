//! Why a subcommand could not do its work, as told on stderr.

use std::io;
use std::path::PathBuf;

use super::exit;
use crate::profile::problem::Problems;

/// What ended a subcommand. A network that fails is never one of these: that is a result.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// The command line asks for something that isn't there.
    #[error("{0}")]
    Usage(String),
    /// A profile or a check is wrong.
    #[error("{0}")]
    Problems(Problems),
    /// A file named on the command line can't be read.
    #[error("can't read {}: {source}", path.display())]
    Read { path: PathBuf, source: io::Error },
    /// A result can't be written.
    #[error("can't write {to}: {source}")]
    Write { to: String, source: io::Error },
    /// The tool itself failed.
    #[error("{0}")]
    Tool(String),
}

impl CliError {
    #[must_use]
    pub fn usage(text: impl Into<String>) -> Self {
        Self::Usage(text.into())
    }

    #[must_use]
    pub fn problems(problems: Problems) -> Self {
        Self::Problems(problems)
    }

    #[must_use]
    pub fn tool(text: impl Into<String>) -> Self {
        Self::Tool(text.into())
    }

    /// What is written on stderr. Problems begin with their places, as editors look for them.
    pub(super) fn told(&self) -> String {
        match self {
            Self::Problems(problems) => problems.to_string().trim_end().to_owned(),
            _ => format!("bothways: {self}"),
        }
    }

    pub(super) fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(_) | Self::Problems(_) | Self::Read { .. } => exit::USAGE,
            Self::Write { .. } | Self::Tool(_) => exit::TOOL,
        }
    }
}
