//! The decision tables of `docs/diagnosis.md` are what the judges do, row by row.

mod names;
mod packets;
mod reach;
mod seen;
mod shares;
mod sql;
mod tftp;

use bothways::model::finding::Judgement;

/// What a table says of one row: the verdict, the confidence, the lost half, and who can help.
type Verdict = [String; 4];

/// The rows of the first table of a section: what was seen, and the verdict.
fn table(section: &str) -> Vec<(String, Verdict)> {
    rows(section)
        .into_iter()
        .map(|cells| {
            let mut cells = cells.into_iter().map(|cell| cell.trim_matches('`').to_owned());
            let seen = cells.next().expect("a first cell");
            (seen, std::array::from_fn(|_| cells.next().expect("five cells")))
        })
        .collect()
}

/// The cells of the first table of a section, row by row.
fn rows(section: &str) -> Vec<Vec<String>> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/diagnosis.md");
    let document = std::fs::read_to_string(path).expect("a document");
    let start = document.find(&format!("\n## {section}\n")).expect("the section") + 4;
    let text = document[start..].split("\n## ").next().expect("a text");
    let rows =
        text.lines().skip_while(|line| !line.starts_with("|---")).skip(1).take_while(|line| line.starts_with('|'));
    rows.map(|row| row.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect()).collect()
}

/// Every row with the columns "what was seen", "verdict" and "confidence" has conversations that show it, and they are judged
/// as it says; the rows that `elsewhere` names are not one conversation's.
#[track_caller]
fn assert_told(section: &str, conversations: &[(&str, Judgement)], elsewhere: &[&str]) {
    let rows = rows(section);
    let known = |name: &str| rows.iter().any(|cells| cells[0] == name);
    for name in conversations.iter().map(|(name, _)| name).chain(elsewhere) {
        assert!(known(name), "there is no row `{name}`");
    }
    for cells in &rows {
        let [seen, said, confidence] = &cells[..] else { panic!("three cells: {cells:?}") };
        let shown: Vec<_> = conversations.iter().filter(|(name, _)| name == seen).collect();
        assert_eq!(shown.is_empty(), elsewhere.contains(&seen.as_str()), "what shows the row `{seen}`");
        for (_, judgement) in shown {
            let [found, held, lost, _] = verdict(judgement);
            let found = found.replace("pass ok", "pass");
            let lost = if lost.is_empty() { lost } else { format!("`lost: {lost}`") };
            assert!(said.contains(&format!("`{found}`")) && said.contains(&lost), "{seen}: {said}\n{judgement:#?}");
            assert!(confidence.contains(&held), "{seen}: {confidence}\n{judgement:#?}");
        }
    }
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
