//! The decision tables of `docs/diagnosis.md` are what the judges do, row by row.

mod reach;

use bothways::model::finding::Judgement;

/// What a table says of one row: the verdict, the confidence, the lost half, and who can help.
type Verdict = [String; 4];

/// The rows of the first table of a section: what was seen, and the verdict.
fn table(section: &str) -> Vec<(String, Verdict)> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/diagnosis.md");
    let document = std::fs::read_to_string(path).expect("a document");
    let start = document.find(&format!("\n## {section}\n")).expect("the section") + 4;
    let text = document[start..].split("\n## ").next().expect("a text");
    let rows =
        text.lines().skip_while(|line| !line.starts_with("|---")).skip(1).take_while(|line| line.starts_with('|'));
    rows.map(|row| {
        let mut cells = row.trim_matches('|').split('|').map(|cell| cell.trim().trim_matches('`').to_owned());
        let seen = cells.next().expect("a first cell");
        (seen, std::array::from_fn(|_| cells.next().expect("five cells")))
    })
    .collect()
}

fn verdict(judgement: &Judgement) -> Verdict {
    let word = |value: serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    [
        format!("{} {}", judgement.status, judgement.code),
        word(serde_json::json!(judgement.confidence)),
        word(serde_json::json!(judgement.lost)),
        word(serde_json::json!(judgement.remedy.as_ref().map(|remedy| remedy.who))),
    ]
}

/// Every row has a conversation that shows it and that is judged as it says.
#[track_caller]
fn assert_holds(section: &str, conversations: &[(&str, Judgement)]) {
    let rows = table(section);
    for (seen, said) in &rows {
        let shown = conversations.iter().find(|(name, _)| name == seen);
        let (_, judgement) = shown.unwrap_or_else(|| panic!("nothing shows the row `{seen}`"));
        assert_eq!(verdict(judgement), *said, "{seen}: {judgement:#?}");
    }
    assert_eq!(rows.len(), conversations.len(), "each conversation has its row");
}
