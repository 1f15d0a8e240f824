//! Conversations that show the rows of the table of TFTP.

use std::io::ErrorKind;

use bothways::model::evidence::{Failure, StepKind};
use bothways::model::fact::Fact;
use bothways::model::finding::Judgement;
use bothways::model::probe::{Probe, Tftp};

use super::seen::{FIRST, HOST, Seen, icmp};

fn asked(file: Option<&str>) -> Seen {
    let settings = Tftp { file: file.map(str::to_owned), ..Tftp::default() };
    Seen::of(Probe::Tftp(settings), 69).accepted().went_well(StepKind::Request)
}

/// The first answer has come, from a new port.
fn begun() -> Seen {
    asked(Some("boot.img")).went_well(StepKind::Reply).fact(Fact::TransferPort, 50_000)
}

fn error(file: Option<&str>, code: u8) -> Seen {
    asked(file).went_well(StepKind::Reply).fact(Fact::TransferPort, 50_000).fact(Fact::TftpError, code)
}

fn conversations() -> Vec<(&'static str, Seen)> {
    let answered = "any TFTP answer, an error included, where no file is named; else the file";
    let repeated = "the first answer again and again, or a responder's first answer and nothing more: acknowledgements to the new \
                    port are lost";
    let stops = "the transfer stops";
    vec![
        (answered, error(None, 1)),
        (answered, begun().fact(Fact::FileRead, 512)),
        ("\"file not found\" for the file that is named", error(Some("boot.img"), 1)),
        ("another error for it", error(Some("boot.img"), 2)),
        ("another error for it", error(Some("boot.img"), 0)),
        (repeated, begun().fact(Fact::FileRead, 512).fact(Fact::Repeats, 2).fails(StepKind::Reply, Failure::TimedOut)),
        (repeated, begun().fact(Fact::Echoed, true).fact(Fact::FileRead, 0).fails(StepKind::Reply, Failure::TimedOut)),
        (
            "the new port is rejected by ICMP of another device",
            begun().told(StepKind::Reply, ErrorKind::HostUnreachable, icmp(3, 13, FIRST)),
        ),
        (
            "the new port is rejected by ICMP of the server itself, and not as a closed one",
            begun().told(StepKind::Reply, ErrorKind::HostUnreachable, icmp(3, 13, HOST)),
        ),
        (stops, begun().fact(Fact::FileRead, 5120).fails(StepKind::Reply, Failure::TimedOut)),
        (stops, begun().fact(Fact::Options, "tsize=9").fails(StepKind::Reply, Failure::TimedOut)),
        (stops, begun().told(StepKind::Reply, ErrorKind::ConnectionRefused, icmp(3, 3, HOST))),
        ("silence", asked(None).fails(StepKind::Reply, Failure::TimedOut)),
    ]
}

#[test]
fn the_table_of_tftp_is_what_the_judges_do() {
    let judged: Vec<(&str, Judgement)> =
        conversations().into_iter().map(|(name, seen)| (name, seen.judged())).collect();
    super::assert_told("TFTP", &judged, &["blocks of one size are lost and smaller ones are not"]);
}
