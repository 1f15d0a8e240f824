//! Reports of a fixed run: what people read at three widths, and what programs read.

pub mod sample;

use bothways::model::code::Code;
use bothways::model::finding::Status;
use bothways::model::run::{CutShort, Run};
use bothways::profile::schema;
use bothways::report::{Format, Look, render};

fn table(run: &Run, look: Look) -> String {
    String::from_utf8(render(Format::Table, run, &look)).expect("a report is text")
}

fn unicode(width: usize) -> Look {
    Look { unicode: true, ..Look::plain(width) }
}

#[test]
fn a_run_with_everything_at_120_columns() {
    insta::assert_snapshot!(table(&sample::rich(), unicode(120)));
}

#[test]
fn a_run_with_everything_at_80_columns() {
    insta::assert_snapshot!(table(&sample::rich(), unicode(80)));
}

#[test]
fn a_run_with_everything_at_40_columns_in_ascii() {
    insta::assert_snapshot!(table(&sample::rich(), Look::plain(40)));
}

#[test]
fn every_step_and_fact_at_100_columns() {
    insta::assert_snapshot!(table(&sample::rich(), Look { verbose: true, ..unicode(100) }));
}

#[test]
fn a_run_where_all_is_well() {
    insta::assert_snapshot!(table(&sample::green(), Look::plain(80)));
}

#[test]
fn no_line_is_wider_than_the_screen() {
    for width in [40, 60, 80, 120] {
        for line in table(&sample::rich(), Look::plain(width)).lines() {
            assert!(line.len() <= width, "{} columns at {width}: {line}", line.len());
        }
    }
}

#[test]
fn without_unicode_everything_is_ascii() {
    assert!(table(&sample::rich(), Look { verbose: true, ..Look::plain(80) }).is_ascii());
}

#[test]
fn colour_changes_nothing_but_colour() {
    let look = Look { verbose: true, ..Look::plain(80) };
    let coloured = table(&sample::rich(), Look { colour: true, ..look });
    assert!(coloured.contains("\x1b["));
    let mut bare = String::new();
    let mut rest = coloured.as_str();
    while let Some((before, after)) = rest.split_once("\x1b[") {
        bare.push_str(before);
        rest = after.split_once('m').expect("only colours are written").1;
    }
    bare.push_str(rest);
    let trimmed = |text: &str| text.lines().map(|line| line.trim_end().to_owned()).collect::<Vec<_>>();
    assert_eq!(trimmed(&bare), trimmed(&table(&sample::rich(), look)));
}

#[test]
fn a_hostile_server_cannot_steer_the_terminal() {
    let look = Look { verbose: true, ..unicode(80) };
    for text in [table(&sample::rich(), look), json(&sample::rich())] {
        let steering = |c: &char| (c.is_control() && *c != '\n') || *c == '\u{202e}';
        assert_eq!(text.chars().find(steering), None);
        assert!(text.contains("owned"), "the words themselves stay visible");
    }
}

#[test]
fn the_last_line_is_the_verdict() {
    let verdict = |run: &Run| table(run, Look::plain(400)).lines().last().map(str::to_owned).unwrap_or_default();
    let with = |status, code| {
        let one = sample::outcome("sql-database", "server", "sql-server", "10.9.3.2:1433", status, code, "So it is.");
        sample::run(status, vec![one], Vec::new(), Vec::new())
    };
    assert_eq!(verdict(&sample::green()), "Everything that can be tested from here works.");
    assert_eq!(verdict(&with(Status::Fail, Code::Dropped)), "1 flow is blocked: sql-database.");
    assert_eq!(verdict(&with(Status::Fail, Code::SqlLoginFailed)), "1 flow does not work: sql-database.");
    assert_eq!(verdict(&with(Status::Fail, Code::Exposed)), "1 flow is open but must be blocked: sql-database.");
    assert_eq!(verdict(&with(Status::Unknown, Code::NoAnswer)), "1 flow could not be decided: sql-database.");
    let trouble = "1 check ended with the tool's own trouble: sql-database.";
    assert_eq!(verdict(&with(Status::Error, Code::ToolError)), trouble);
    let warned = "Everything that can be tested from here works, but look at sql-database.";
    assert_eq!(verdict(&with(Status::Warn, Code::NeedsCredentials)), warned);
    assert_eq!(verdict(&with(Status::Skip, Code::NotTestableFromHere)), "Nothing could be tested from here.");
    assert_eq!(verdict(&sample::run(Status::Skip, vec![], vec![], vec![])), "Nothing could be tested from here.");
}

#[test]
fn a_run_that_was_cut_short_says_so() {
    let mut run = sample::green();
    run.run.cut_short = Some(CutShort::Deadline);
    assert!(table(&run, Look::plain(80)).contains("reached its deadline before every check had ended"));
}

#[test]
fn whoever_plays_every_role_is_said_to_in_few_words() {
    let mut run = sample::green();
    assert!(table(&run, Look::plain(400)).contains("tested on pc-17 as client and server |"));
    for outcome in &run.outcomes {
        run.run.side.extend([outcome.from.clone(), outcome.to.clone()]);
    }
    assert!(table(&run, Look::plain(400)).contains("tested on pc-17 as every role |"));
    run.run.side.clear();
    assert!(table(&run, Look::plain(400)).contains("tested on pc-17 |"));
}

#[test]
fn a_remedy_that_no_finding_took_up_is_not_lost() {
    let mut run = sample::rich();
    run.findings.clear();
    assert!(table(&run, Look::plain(120)).contains("Network team: Allow TCP 1433 from server to sql-server."));
}

fn json(run: &Run) -> String {
    String::from_utf8(render(Format::Json, run, &Look::plain(80))).expect("JSON is text")
}

#[test]
fn the_record_survives_being_written_and_read() {
    for run in [sample::rich(), sample::green()] {
        let text = json(&run);
        assert!(text.ends_with("}\n"));
        assert_eq!(serde_json::from_str::<Run>(&text).expect("a saved run is read again"), run);
    }
}

#[test]
fn the_record_is_what_its_schema_says() {
    let schema = jsonschema::validator_for(&schema::run_schema()).expect("the schema is a schema");
    for run in [sample::rich(), sample::green()] {
        let value = serde_json::from_str(&json(&run)).expect("JSON");
        let errors: Vec<String> =
            schema.iter_errors(&value).map(|error| format!("{}: {error}", error.instance_path())).collect();
        assert!(errors.is_empty(), "{errors:#?}");
    }
    assert!(!schema.is_valid(&serde_json::json!({ "schema": 1 })), "an empty record must not pass");
}

#[test]
fn the_record_as_programs_see_it() {
    let mut run = sample::rich();
    run.outcomes.retain(|outcome| outcome.endpoint == "sql-server-2");
    run.tasks.truncate(1);
    run.findings.truncate(1);
    insta::assert_snapshot!(json(&run));
}
