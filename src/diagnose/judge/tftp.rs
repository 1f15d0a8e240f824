//! What the evidence of TFTP reads (RFC 1350) means.
//!
//! Any answer of the server proves the path both ways, because it comes from a new port: what then is wrong with the file
//! is no matter of the network. Silence proves nothing, for the same reason: the request or the reply may be lost.

use super::{Case, reach, unforeseen};
use crate::model::code::Code;
use crate::model::evidence::{Failure, Icmp, Step, StepKind};
use crate::model::fact::Fact;
use crate::model::finding::{Confidence, Judgement, Lost, Who};
use crate::model::probe::{Probe, Tftp, TftpRead};
use crate::wire::tftp::error;

pub(super) fn judge(case: &Case) -> Judgement {
    let Probe::Tftp(settings) = &case.ask.probe else { return unforeseen(case) };
    let Some((step, failure)) = case.evidence.stopped_at().and_then(|step| Some((step, step.error?))) else {
        return answered(case, settings);
    };
    if case.evidence.number(Fact::TransferPort).is_some() {
        return broken_off(case, step, failure);
    }
    match failure {
        Failure::TimedOut if step.kind == StepKind::Reply => no_answer(case),
        Failure::Malformed | Failure::Unexpected => not_tftp(case),
        Failure::Refused | Failure::Reset if !case.turned_away_by_another() => closed(case),
        Failure::Refused
        | Failure::Reset
        | Failure::Rejected
        | Failure::Denied
        | Failure::HostUnreachable
        | Failure::NetworkUnreachable => reach::judge(case, failure).lost(Lost::Request),
        _ => unforeseen(case),
    }
}

fn answered(case: &Case, settings: &Tftp) -> Judgement {
    let (target, port) = (case.target(), transfer_port(case));
    if let Some(code) = case.evidence.number(Fact::TftpError) {
        return match &settings.file {
            Some(file) => file_refused(case, file, code),
            None => Judgement::pass(format!(
                "{target} answers as a TFTP server, from port {port}, so requests and replies both pass (asked for a file \
                 that is hardly there, it said {}).",
                said(case)
            )),
        };
    }
    let name = settings.file.as_deref().map_or_else(|| "the file".to_owned(), |file| format!("`{file}`"));
    let size = case.evidence.number(Fact::FileBytes);
    if settings.read != Some(TftpRead::Whole) {
        let size = size.map_or_else(String::new, |size| format!(" ({size} bytes)"));
        return Judgement::pass(format!("{target} hands out {name}{size} by TFTP, from port {port}."));
    }
    let read = case.evidence.number(Fact::FileRead).unwrap_or_default();
    match size.filter(|size| read < *size && read < 1 << 30) {
        None => Judgement::pass(format!("{target} sent all of {name} by TFTP: {read} bytes, from port {port}.")),
        Some(size) => Judgement::fail(
            Code::TftpStalled,
            Confidence::Proven,
            format!("{target} ended {name} after {read} of {size} bytes, as if the file were that short."),
        )
        .remedy(Who::TargetHost, "Look at the file on the TFTP server: it may be still being written, or unreadable."),
    }
}

fn file_refused(case: &Case, file: &str, code: u64) -> Judgement {
    let reached = format!("{} answers as a TFTP server, so the network is fine", case.target());
    if code == u64::from(error::FILE_NOT_FOUND) {
        return Judgement::warn(
            Code::TftpFileMissing,
            Confidence::Proven,
            format!("{reached}, but it has no file `{file}` ({}).", said(case)),
        )
        .remedy(
            Who::TargetHost,
            format!("Put `{file}` below the TFTP server's root folder, or correct the name in the profile (case counts on many servers)."),
        );
    }
    let confidence = if code == u64::from(error::ACCESS_VIOLATION) { Confidence::Proven } else { Confidence::Likely };
    Judgement::warn(
        Code::TftpAccessDenied,
        confidence,
        format!("{reached}, but it does not hand out `{file}` ({}).", said(case)),
    )
    .remedy(
        Who::TargetHost,
        format!("Let the TFTP server's account read `{file}`, and look for this request in the server's log."),
    )
}

/// The transfer began and did not come to its end.
fn broken_off(case: &Case, step: &Step, failure: Failure) -> Judgement {
    let (target, port) = (case.target(), transfer_port(case));
    let read = case.evidence.number(Fact::FileRead).unwrap_or_default();
    let fail = |code, sentence| Judgement::fail(code, Confidence::Proven, sentence);
    match failure {
        Failure::TimedOut if read > 0 && case.was_moving() => slow(case, read),
        Failure::TimedOut => ran_dry(case, read, port),
        Failure::Unexpected => {
            fail(Code::TftpStalled, format!("{target} broke the TFTP transfer off after {read} bytes ({}).", said(case)))
                .remedy(Who::TargetHost, "Look for this transfer in the TFTP server's log.")
        }
        Failure::Malformed => fail(
            Code::WrongService,
            format!("{target} began a TFTP transfer and then sent packets that are not TFTP."),
        )
        .remedy(Who::TargetHost, "Check which program answers as the TFTP server there."),
        Failure::Denied if step.icmp.is_none() => fail(
            Code::TftpTransferPortBlocked,
            format!("This machine refused to send UDP to {target}'s transfer port {port}: a local firewall blocks it."),
        )
        .lost(Lost::Request)
        .remedy(Who::ThisHost, follow_the_port(case)),
        _ => match step.icmp {
            Some(icmp) if from_target(case, icmp) && !reach::is_of_a_closed_port(icmp) => fail(
                Code::TftpTransferPortBlocked,
                format!("{target} began a TFTP transfer, but its own firewall rejects packets to the transfer port {port}."),
            )
            .lost(Lost::Request)
            .remedy(Who::TargetHost, follow_the_port(case)),
            Some(icmp) if !from_target(case, icmp) => fail(
                Code::TftpTransferPortBlocked,
                format!("{} rejects packets to {target}'s transfer port {port}, although the request passed.", sender(icmp)),
            )
            .lost(Lost::Request)
            .remedy(Who::Network, follow_the_port(case)),
            _ => fail(
                Code::TftpStalled,
                format!("{target} began a TFTP transfer; after {read} bytes its port {port} no longer takes packets."),
            )
            .remedy(
                Who::TargetHost,
                "Look for this transfer in the TFTP server's log: it ended early, or the host's firewall closed its port.",
            ),
        },
    }
}

/// The file was still coming when the time was up.
fn slow(case: &Case, read: u64) -> Judgement {
    let of = case.evidence.number(Fact::FileBytes).map_or_else(String::new, |size| format!(" of {size}"));
    let rate = case.evidence.number(Fact::Rate).unwrap_or_default() / 1000;
    let sentence = format!(
        "{} was still sending the file when the time was up: {read}{of} bytes had come, at {rate} kB/s. TFTP is slow over a long \
         way, but nothing is blocked so far.",
        case.target()
    );
    Judgement::unknown(Code::TimedOut, sentence).remedy(
        Who::Profile,
        "Give the check a longer `timeout`, a `windowsize` or a larger `blksize`, or let it `read: start` only.",
    )
}

/// The transfer began, and then nothing new came.
fn ran_dry(case: &Case, read: u64, port: u64) -> Judgement {
    let repeats = case.evidence.number(Fact::Repeats).unwrap_or_default();
    // A responder sends nothing twice before it has heard something on its transfer port, and its first blocks are small.
    let unheard = read == 0 && case.evidence.holds(Fact::Echoed);
    if !unheard && !read_nothing_but_repeats(case, read, repeats) {
        return stalled(case, read, port);
    }
    let then = match repeats {
        0 => "then nothing more came".to_owned(),
        1 => "then repeated that answer".to_owned(),
        _ => format!("then repeated that answer {repeats} times"),
    };
    let sentence = format!(
        "{} answered a TFTP request and {then}: the acknowledgements sent to its transfer port {port} do not reach it.",
        case.target()
    );
    Judgement::fail(Code::TftpTransferPortBlocked, Confidence::Likely, sentence)
        .lost(Lost::Request)
        .remedy(Who::Network, follow_the_port(case))
}

fn follow_the_port(case: &Case) -> String {
    format!(
        "{} A TFTP server goes on from a port of its own choice: let the firewall follow that (a TFTP helper, also called \
         ALG or inspection), or allow UDP to the server's whole range of transfer ports.",
        case.rule()
    )
}

/// Whether only the first answer ever came, again and again.
fn read_nothing_but_repeats(case: &Case, read: u64, repeats: u64) -> bool {
    let options_came = case.evidence.fact(Fact::Options).is_some();
    let first_block = if options_came { 0 } else { 512 };
    repeats >= 1 && read <= first_block
}

fn stalled(case: &Case, read: u64, port: u64) -> Judgement {
    let target = case.target();
    if read == 0 {
        return Judgement::fail(
            Code::TftpStalled,
            Confidence::Likely,
            format!(
                "{target} answered a TFTP request, but the first block of the file never came: large packets from its \
                 transfer port {port} are lost, or the acknowledgements to it."
            ),
        )
        .remedy(
            Who::Network,
            format!(
                "{} Let UDP packets of full size pass from the server (fragments too, where the block size is above 1468), \
                 and follow the transfer port with a TFTP helper; a smaller `blksize` in the profile shows whether size matters.",
                case.rule()
            ),
        );
    }
    Judgement::fail(
        Code::TftpStalled,
        Confidence::Proven,
        format!("{target} sent {read} bytes of the file from port {port} by TFTP, and then nothing more came."),
    )
    .remedy(
        Who::Network,
        format!(
            "Look for packet loss or a short UDP timeout on the way to port {port} and the server's other transfer ports; \
             a smaller `blksize` and no `windowsize` in the profile show whether bursts or large packets are lost."
        ),
    )
}

fn no_answer(case: &Case) -> Judgement {
    let target = case.target();
    let elsewhere = case
        .evidence
        .text(Fact::Detail)
        .map_or_else(String::new, |detail| format!(" Note: {detail}; a server with several addresses may answer so."));
    let sentence = format!(
        "{target} did not answer a TFTP request. Either the request is dropped on the way, or no TFTP server runs there, \
         or the reply is dropped: it comes from a new port, which a stateful firewall without a TFTP helper does not let \
         back in.{elsewhere} `bothways listen` on the other side would decide it."
    );
    Judgement::unknown(Code::NoAnswer, sentence).remedy(
        Who::Network,
        format!(
            "{} Replies come from other UDP ports of the server: turn on the firewall's TFTP helper (also called ALG or \
             inspection), on this machine's firewall too.",
            case.rule()
        ),
    )
}

fn not_tftp(case: &Case) -> Judgement {
    let shown = case.evidence.text(Fact::Banner).map_or_else(String::new, |banner| format!(" (it sent `{banner}`)"));
    let sentence = format!("{} answered, but not with TFTP: something else listens there{shown}.", case.target());
    Judgement::fail(Code::WrongService, Confidence::Proven, sentence).remedy(
        Who::TargetHost,
        format!(
            "Check which program listens on UDP {} there, and that the profile names the right port.",
            case.ask.port
        ),
    )
}

fn closed(case: &Case) -> Judgement {
    let sentence = format!(
        "{} refuses TFTP requests: no TFTP server runs there, or the host's firewall answers so.",
        case.target()
    );
    Judgement::fail(Code::Refused, Confidence::Likely, sentence).remedy(
        Who::TargetHost,
        format!(
            "Start the TFTP server (UDP {}) on that host. If it runs, the host's firewall refuses: {}",
            case.ask.port,
            case.rule()
        ),
    )
}

fn from_target(case: &Case, icmp: Icmp) -> bool {
    icmp.from.is_some() && icmp.from == case.address.map(|address| address.ip())
}

fn sender(icmp: Icmp) -> String {
    icmp.from.map_or_else(|| "A device on the way".to_owned(), |from| from.to_string())
}

fn transfer_port(case: &Case) -> u64 {
    case.evidence.number(Fact::TransferPort).unwrap_or_default()
}

/// The server's error in one phrase.
fn said(case: &Case) -> String {
    let code = case.evidence.number(Fact::TftpError).unwrap_or_default();
    match case.evidence.text(Fact::TftpMessage).map(str::trim).filter(|message| !message.is_empty()) {
        Some(message) => format!("TFTP error {code}: {message}"),
        None => format!("TFTP error {code}"),
    }
}
