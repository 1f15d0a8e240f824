//! One page per finding code: what it means, what was observed to say so, what else could look the same, how to decide,
//! and who fixes it. The pages are `docs/codes/*.md`, embedded.

use include_dir::{Dir, include_dir};

use crate::model::code::{Code, Group};

static PAGES: Dir = include_dir!("$CARGO_MANIFEST_DIR/docs/codes");

/// The sections that every page has, in order.
pub const SECTIONS: [&str; 6] = [
    "What it means",
    "What was observed",
    "What else could look the same",
    "How to decide",
    "Who fixes it, and how",
    "Example",
];

/// The page of a code, in Markdown. Empty only where a page is missing, which a test forbids.
#[must_use]
pub fn page(code: Code) -> &'static str {
    PAGES.get_file(format!("{code}.md")).and_then(include_dir::File::contents_utf8).unwrap_or_default()
}

/// The first paragraph of a code's page: what it means in one sentence.
#[must_use]
pub fn summary(code: Code) -> String {
    let paragraphs = page(code).split("\n\n").map(str::trim);
    paragraphs
        .filter(|text| !text.is_empty() && !text.starts_with('#'))
        .take(1)
        .map(|text| text.replace('\n', " "))
        .collect()
}

/// The file names of all pages, without their ending.
#[must_use]
pub fn names() -> Vec<String> {
    PAGES.files().filter_map(|file| Some(file.path().file_stem()?.to_str()?.to_owned())).collect()
}

/// A group of codes as people call it.
#[must_use]
pub fn title(group: Group) -> &'static str {
    match group {
        Group::Reach => "Reaching the port",
        Group::Name => "Name resolution",
        Group::Tls => "TLS",
        Group::Proxy => "HTTP proxy",
        Group::Http => "HTTP",
        Group::Websocket => "WebSocket",
        Group::Sql => "SQL Server",
        Group::Smb => "File shares (SMB)",
        Group::Tftp => "Network boot (TFTP)",
        Group::Run => "The run itself",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_a_page_with_every_section_filled_in_order() {
        for code in Code::ALL {
            let page = page(*code);
            assert!(page.starts_with(&format!("# {code}\n\n")), "{code}: the page is missing or has another title");
            let parts: Vec<&str> = page.split("\n## ").skip(1).collect();
            let headings: Vec<&str> = parts.iter().filter_map(|part| part.lines().next()).collect();
            assert_eq!(headings, SECTIONS, "{code}");
            for part in parts {
                let words = part.split_whitespace().count();
                assert!(words > 5, "{code}: a section says next to nothing: {part}");
            }
        }
    }

    #[test]
    fn no_page_is_orphaned() {
        for name in names() {
            assert!(name.parse::<Code>().is_ok(), "docs/codes/{name}.md explains no code");
        }
    }

    #[test]
    fn a_summary_is_one_sentence() {
        for code in Code::ALL {
            let summary = summary(*code);
            assert!(summary.ends_with('.') && !summary.trim_end_matches('.').contains(". "), "{code}: {summary}");
        }
    }
}
