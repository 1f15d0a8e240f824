//! Files that no one wrote by hand: none of them may break the reader or take long, and each is told in plain words.

use std::fmt::Write as _;
use std::fs;

use bothways::profile::catalog::Catalog;
use bothways::profile::load::{lint, lint_text};
use proptest::prelude::*;

fn told(bytes: &[u8]) -> String {
    lint_text("hostile.yaml", bytes, &Catalog::built_in()).to_string()
}

fn alias_bomb() -> String {
    let mut text = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x]\n");
    for n in 1..10 {
        let items = vec![format!("*a{}", n - 1); 9].join(", ");
        writeln!(text, "a{n}: &a{n} [{items}]").expect("a text");
    }
    text
}

fn indented(levels: usize) -> String {
    (0..levels).map(|level| " ".repeat(level) + "a:\n").collect()
}

#[test]
fn what_is_too_much_is_told() {
    let cases: Vec<(&str, Vec<u8>, &str)> = vec![
        ("an alias bomb", alias_bomb().into(), "there are more than 20000 values"),
        ("brackets", "[".repeat(20_000).into(), "nested more than 32 levels"),
        ("braces", "{a: ".repeat(20_000).into(), "nested more than 32 levels"),
        ("hyphens", "- ".repeat(20_000).into(), "nested more than 32 levels"),
        ("indentation", indented(400).into(), "nested more than 32 levels"),
        ("many megabytes", vec![b'x'; 10 << 20], "larger than 1 MB"),
        ("many values", format!("a: [{}]", "x, ".repeat(60_000)).into(), "there are more than 20000 values"),
        (
            "deep aliases",
            "a: &a [[[[[[[[[[[[[[[[[[[[x]]]]]]]]]]]]]]]]]]]]\nb: [[[[[[[[[[[[[[[[[[[[*a]]]]]]]]]]]]]]]]]]]]\n".into(),
            "nested more than 32 levels",
        ),
        ("an alias to itself", "a: &a [*a]\n".into(), "the very value that it stands in"),
    ];
    for (what, bytes, message) in cases {
        let told = told(&bytes);
        assert!(told.contains(message), "{what}: {told}");
    }
}

#[test]
fn what_is_not_text_is_told() {
    let not_text = [
        b"\x7fELF\x02\x01\x01\x00".to_vec(),
        b"extends: miradore\ntitle: \xff\xfe\n".to_vec(),
        vec![0; 1000],
        vec![0xFF; 1000],
    ];
    for bytes in not_text {
        let told = told(&bytes);
        assert!(told.contains("not text in UTF-8") || told.contains("may not stand here"), "{told}");
    }
    assert!(told(b"extends: mira\0dore\n").contains("the character `\\u{0}` may not stand here"));
}

#[test]
fn files_as_windows_saves_them_are_read() {
    let text = "extends: miradore\r\nendpoints:\r\n  server: { host: a }\r\n";
    let utf16 = |unit: fn(u16) -> [u8; 2]| {
        "\u{feff}".encode_utf16().chain(text.encode_utf16()).flat_map(unit).collect::<Vec<_>>()
    };
    for bytes in
        [text.as_bytes().to_vec(), format!("\u{feff}{text}").into(), utf16(u16::to_le_bytes), utf16(u16::to_be_bytes)]
    {
        assert_eq!(told(&bytes), "");
    }
    let told = told(text.replace("host", "hsot").as_bytes());
    assert!(told.starts_with("hostile.yaml:3:13: unknown key `hsot`"), "{told}");
}

#[test]
fn old_macintosh_line_ends_are_counted_too() {
    assert!(
        told(b"extends: miradore\rendpoints:\r  server: { hsot: a }\r").starts_with("hostile.yaml:3:13: unknown key")
    );
}

#[test]
fn a_folder_and_a_missing_file_are_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let catalog = Catalog::built_in();
    assert!(lint(folder.path(), &catalog).to_string().contains("this is a folder, not a file"));
    let missing = lint(&folder.path().join("x.yaml"), &catalog).to_string();
    assert!(missing.contains("the file cannot be read"), "{missing}");
}

#[test]
fn a_profile_full_of_mistakes_ends() {
    let lines = |line: fn(usize) -> String| (0..1500).map(line).collect::<String>();
    for text in [
        format!("extends: miradore\nchecks:\n{}", lines(|n| format!("  c{n}: on\n"))),
        format!("extends: miradore\nendpoints:\n{}", lines(|n| format!("  e{n}: {{ host: h }}\n"))),
        format!(
            "extends: miradore\nendpoints:\n{}",
            lines(|n| format!("  e{n}: {{ role: client, parent: e{} }}\n", n + 1))
        ),
        format!("extends: miradore\nendpoints:\n{}", lines(|n| format!("  e{n}: {{ rle: client, host: '' }}\n"))),
        format!("extends: miradore\nendpoints: {{ client: {{ hosts: [{}] }} }}\n", lines(|n| format!("h{}, ", n % 99))),
    ] {
        let problems = lint_text("hostile.yaml", text.as_bytes(), &Catalog::built_in());
        assert!((1..=100).contains(&problems.0.len()), "{} problems", problems.0.len());
    }
}

#[test]
fn a_megabyte_of_anything_is_told_or_read() {
    let megabyte = |piece: &str| piece.repeat((1 << 20) / piece.len());
    for piece in [
        "#",
        "# a comment\n",
        "a",
        "a: b\n",
        "'",
        "\"",
        "&a ",
        "!",
        "? ",
        "|\n ",
        "- a\n",
        "- - - -\n",
        "\t",
        "é",
        "{}",
        "[]\n",
        "*a\n",
        "<<: ",
    ] {
        let _ = told(megabyte(piece).as_bytes());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_break_the_reader(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = told(&bytes);
    }

    #[test]
    fn no_yaml_like_text_breaks_the_reader(text in "[-a-c0-9:{}\\[\\]&*!|>'\"%@#<?,. \\n\\t]{0,200}") {
        let _ = told(text.as_bytes());
    }

    #[test]
    fn no_change_to_a_profile_breaks_the_reader(at in 0.0..1.0f64, cut in 0usize..60, put in "[-a-z0-9:{}\\[\\]&*!|'\"#, \\n\\t\u{0}-\u{1f}é]{0,20}") {
        for name in ["miradore", "example-branch-office", "example-other-product"] {
            let (_, mut text) = Catalog::built_in().text(name).expect("a profile");
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "a place within a small file")]
            let mut start = (at * text.len() as f64) as usize;
            while !text.is_char_boundary(start) { start -= 1; }
            let mut end = (start + cut).min(text.len());
            while !text.is_char_boundary(end) { end += 1; }
            text.replace_range(start..end, &put);
            for problem in lint_text("changed.yaml", text.as_bytes(), &Catalog::built_in()).0 {
                prop_assert!(!problem.message.is_empty() && !problem.remedy.is_empty());
            }
        }
    }
}

#[test]
fn the_limit_on_files_holds_on_disk_too() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("large.yaml");
    fs::write(&path, vec![b'#'; (1 << 20) + 1]).expect("a file");
    assert!(lint(&path, &Catalog::built_in()).to_string().contains("larger than 1 MB"));
}
