//! Which judge a conversation goes to, by the stage in which it stopped.

use super::{
    Case, http, intercepted, loss, name, other_way, packets, proxy, reach, smb, sql, sql_browser, tcp, tftp, tls,
    unasked, unforeseen, websocket,
};
use crate::model::code::Code;
use crate::model::evidence::{Failure, StepKind};
use crate::model::fact::Fact;
use crate::model::finding::{Judgement, Who};
use crate::model::flow::Transport;
use crate::model::probe::Protocol;

/// Judges one conversation.
#[must_use]
pub fn judge(case: &Case) -> Judgement {
    let told = packets::judge(case, || by_stage(case)).or_else(|| loss::by_chance(case));
    let judgement = told.unwrap_or_else(|| {
        let judgement = unasked::told(case, by_stage(case));
        if tls::hellos_tell(case, &judgement) {
            reach::with_device(case, judgement)
        } else {
            reach::unmask(case, judgement)
        }
    });
    other_way::compared(case, judgement)
}

fn by_stage(case: &Case) -> Judgement {
    let Some((kind, failure)) = case.evidence.stopped_at().and_then(|step| Some((step.kind, step.error?))) else {
        return loss::told(case, by_protocol(case));
    };
    match (kind, failure) {
        (_, Failure::Interrupted) => interrupted(case, kind),
        (StepKind::Proxy, Failure::NeedsCredentials | Failure::NotBuilt) => proxy::judge(case, failure),
        (_, Failure::NeedsCredentials) => needs_credentials(case),
        (_, Failure::NotBuilt) => not_built(case),
        (_, Failure::Internal) => unforeseen(case),
        (StepKind::Connect | StepKind::Request, Failure::TimedOut) if is_udp(case) => not_asked(case),
        (StepKind::Resolve, _) => name::judge(case, failure),
        (StepKind::Connect, _) if case.ask.probe.protocol() == Protocol::Smb => smb::unconnected(case, failure),
        (StepKind::Connect, _) => {
            sql::instance_port_blocked(case, failure).unwrap_or_else(|| reach::judge(case, failure))
        }
        (StepKind::Proxy, _) => proxy::judge(case, failure),
        (StepKind::Tls, _) if sql::judges_tls(case) => sql::judge(case),
        (StepKind::Tls, _) | (_, Failure::TlsClientCertificate | Failure::TlsAlert | Failure::TlsVersion) => {
            tls::judge(case, failure)
        }
        (StepKind::Reply, Failure::TimedOut) if is_udp(case) => {
            reach::told_of_way(case).unwrap_or_else(|| by_protocol(case))
        }
        (StepKind::Request | StepKind::Reply | StepKind::Hold, _) => by_protocol(case),
    }
}

fn by_protocol(case: &Case) -> Judgement {
    if let Some(judgement) = tls::refused_without_certificate(case) {
        return judgement;
    }
    match case.ask.probe.protocol() {
        Protocol::Http => http::judge(case),
        Protocol::Websocket => of_another(case).unwrap_or_else(|| websocket::judge(case)),
        Protocol::Tcp => tcp::judge(case),
        Protocol::Sql => sql::judge(case),
        Protocol::SqlBrowser => sql_browser::judge(case),
        Protocol::Smb => smb::judge(case),
        Protocol::Tftp => tftp::judge(case),
    }
}

/// An upgrade that something else than the service answered.
fn of_another(case: &Case) -> Option<Judgement> {
    let status = case.evidence.number(Fact::Status)?;
    intercepted::judge(case, status).or_else(|| intercepted::elsewhere(case, status))
}

fn interrupted(case: &Case, kind: StepKind) -> Judgement {
    let stage = match kind {
        StepKind::Resolve => "resolving the name",
        StepKind::Connect => "connecting",
        StepKind::Proxy => "waiting for the proxy",
        StepKind::Tls => "in the TLS handshake",
        StepKind::Request => "sending the request",
        StepKind::Reply => "waiting for the answer",
        StepKind::Hold => "keeping the connection idle",
    };
    let sentence = format!("The run ended while {stage} ({}); a longer run would decide it.", case.target());
    Judgement::unknown(Code::TimedOut, sentence)
}

fn is_udp(case: &Case) -> bool {
    case.ask.probe.protocol().transport() == Transport::Udp
}

/// Nothing holds a datagram up but this machine itself.
fn not_asked(case: &Case) -> Judgement {
    let sentence = format!(
        "The time was up before {} could be asked: this machine is too busy, or the check has too little time.",
        case.target()
    );
    Judgement::unknown(Code::TimedOut, sentence)
}

fn needs_credentials(case: &Case) -> Judgement {
    let sentence = format!("{} answers, but the next stage needs a user and a password.", case.target());
    Judgement::warn(Code::NeedsCredentials, crate::model::finding::Confidence::Proven, sentence).remedy(
        Who::Profile,
        format!("Give the endpoint `{}` a `user` and a `password: {{ env: NAME }}`.", case.flow.endpoint),
    )
}

fn not_built(case: &Case) -> Judgement {
    let feature = case.evidence.text(Fact::MissingFeature).unwrap_or("that is missing");
    let sentence =
        format!("{} answers, but this build lacks the feature `{feature}`, which the next stage needs.", case.target());
    Judgement::warn(Code::NeedsCredentials, crate::model::finding::Confidence::Proven, sentence)
        .remedy(Who::ThisHost, format!("Use a build with the cargo feature `{feature}`."))
}
