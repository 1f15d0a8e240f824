//! The decision tables of `docs/diagnosis.md` are what the judges do, row by row.

mod halves;
mod http;
mod names;
mod packets;
mod proxies;
mod reach;
mod seen;
mod shares;
mod sql;
mod tftp;
mod tls;
mod websocket;

use bothways::model::finding::Judgement;
use bothways::model::run::Outcome;

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
    tables(section).swap_remove(0)
}

/// The cells of every table of a section, without their headings.
fn tables(section: &str) -> Vec<Vec<Vec<String>>> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/diagnosis.md");
    let document = std::fs::read_to_string(path).expect("a document");
    let start = document.find(&format!("\n## {section}\n")).expect("the section") + 4;
    let text = document[start..].split("\n## ").next().expect("a text");
    let cells = |row: &str| row.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect();
    let begin = text.split("\n|---").skip(1);
    let rows = begin.map(|table| table.lines().skip(1).take_while(|line| line.starts_with('|')).map(cells).collect());
    rows.collect()
}

/// Every row with the columns "what was seen", "verdict" and "confidence" has conversations that show it, and they are judged
/// as it says; the rows that `elsewhere` names are not one conversation's.
#[track_caller]
fn assert_told(section: &str, conversations: &[(&str, Judgement)], elsewhere: &[&str]) {
    assert_shown(&rows(section), conversations, elsewhere);
}

/// The same for a table whose last two columns are "verdict" and "confidence"; those before them, with ` | ` in between, name
/// the row.
#[track_caller]
fn assert_shown(rows: &[Vec<String>], conversations: &[(&str, Judgement)], elsewhere: &[&str]) {
    let rows: Vec<(String, &str, &str)> = rows.iter().map(|cells| named(cells)).collect();
    for name in conversations.iter().map(|(name, _)| name).chain(elsewhere) {
        assert!(rows.iter().any(|(seen, ..)| seen == name), "there is no row `{name}`");
    }
    for (seen, said, confidence) in &rows {
        let shown: Vec<_> = conversations.iter().filter(|(name, _)| name == seen).collect();
        assert_eq!(shown.is_empty(), elsewhere.contains(&seen.as_str()), "what shows the row `{seen}`");
        for (_, judgement) in shown {
            assert!(says(said, judgement), "{seen}: {said}\n{judgement:#?}");
            let held = &verdict(judgement)[1];
            let open = confidence.is_empty() || confidence.starts_with("as ");
            assert!(open || confidence.contains(held), "{seen}: {confidence}\n{judgement:#?}");
        }
    }
}

fn named(cells: &[String]) -> (String, &str, &str) {
    let [seen @ .., said, confidence] = cells else { panic!("more cells: {cells:?}") };
    (seen.join(" | ").trim_end().to_owned(), said, confidence)
}

/// Whether a cell has this verdict, or has it among others.
fn says(cell: &str, judgement: &Judgement) -> bool {
    let (status, code) = (judgement.status, judgement.code);
    let lost = &verdict(judgement)[2];
    let half = lost.is_empty() || cell.contains(&format!("`lost: {lost}`"));
    let whole = cell.contains(&format!("`{status} {code}`").replace("pass ok", "pass"));
    let among = cell.contains(&format!("{code}`")) && cell.contains(&format!("`{status}"));
    half && (whole || among)
}

/// What an outcome says, as a judgement of it.
fn judgement(outcome: &Outcome) -> Judgement {
    let said = Judgement::new(outcome.status, outcome.code, outcome.confidence, outcome.sentence.as_str());
    Judgement { lost: outcome.lost, remedy: outcome.remedy.clone(), ..said }
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
