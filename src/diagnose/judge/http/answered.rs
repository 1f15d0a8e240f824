//! Requests of which a status came back: whether the service itself gave it, and whether all of the body passed.

use super::super::{Case, intercepted, proxy, tls};
use super::{forwarded, lost_on_the_way, of_tls, slow, upload};
use crate::model::ask::host_port;
use crate::model::code::Code;
use crate::model::evidence::Failure;
use crate::model::fact::Fact;
use crate::model::finding::{Confidence, Judgement, Lost, Who};
use crate::model::probe::{Http, Method};

/// A request of which a status came back.
pub(super) struct Answer<'a> {
    pub case: &'a Case<'a>,
    pub settings: &'a Http,
    pub status: u64,
    /// What ended the reading of its body early.
    pub stopped: Option<Failure>,
}

impl Answer<'_> {
    pub(super) fn judge(&self) -> Judgement {
        self.made_on_the_way()
            .or_else(|| self.too_large())
            .or_else(|| self.wrong_status())
            .or_else(|| self.not_understood())
            .or_else(|| self.not_taken())
            .or_else(|| self.elsewhere())
            .or_else(|| self.body_in_parts())
            .or_else(|| self.altered())
            .or_else(|| self.short())
            .or_else(|| self.page_changed())
            .or_else(|| self.upload_in_parts())
            .or_else(|| intercepted::unproven(self.case, self.status))
            .unwrap_or_else(|| self.pass())
    }

    /// A page that a proxy or a portal made, not the service.
    fn made_on_the_way(&self) -> Option<Judgement> {
        let for_everybody = proxy::gives_it_to_everybody(self.case);
        if self.case.evidence.holds(Fact::Echoed) || self.explicitly_accepted() && !for_everybody {
            return None;
        }
        if forwarded(self.case)
            && let Some(judgement) = proxy::refusal(self.case)
        {
            return Some(judgement);
        }
        intercepted::judge(self.case, self.status)
    }

    fn explicitly_accepted(&self) -> bool {
        !self.settings.status.is_empty() && self.case.evidence.holds(Fact::StatusExpected)
    }

    fn too_large(&self) -> Option<Judgement> {
        let wanted = self.case.evidence.number(Fact::RequestBodyWanted)?;
        if self.status != 413 || self.explicitly_accepted() {
            return None;
        }
        let own = self.case.evidence.text(Fact::ProxyError).and(self.case.ask.proxy()).filter(|_| forwarded(self.case));
        if let Some(proxy) = own {
            let place = host_port(&proxy.host, proxy.port);
            let sentence = format!("The proxy {place} refuses a request body of {wanted} bytes as too large (413).");
            let remedy =
                format!("Raise the largest request body that the proxy {place} accepts to {wanted} bytes or more.");
            return Some(
                Judgement::fail(Code::HttpSizeLimited, Confidence::Proven, sentence).remedy(Who::Network, remedy),
            );
        }
        let who = if forwarded(self.case) { " (through the proxy)" } else { "" };
        let sentence =
            format!("{}{who} refuses a request body of {wanted} bytes as too large (413).", self.case.target());
        Some(Judgement::fail(Code::HttpSizeLimited, Confidence::Proven, sentence).remedy(
            Who::TargetHost,
            format!("Raise the largest request body that the server, or a proxy in front of it, accepts to {wanted} bytes or more."),
        ))
    }

    fn wrong_status(&self) -> Option<Judgement> {
        if self.case.evidence.holds(Fact::StatusExpected) {
            return None;
        }
        let (target, status) = (self.case.target(), self.status);
        if self.settings.status.is_empty() {
            let sentence = format!("Something answers for {target}, but the service behind it does not ({status}).");
            return Some(
                Judgement::warn(Code::HttpStatus, Confidence::Likely, sentence)
                    .remedy(Who::TargetHost, "Start the service, and look into the web server's log."),
            );
        }
        let sentence = format!(
            "{target} answered with status {status}{}, which is not one that the check accepts.",
            self.located()
        );
        Some(
            Judgement::fail(Code::HttpStatus, Confidence::Proven, sentence).remedy(
                Who::Product,
                "Look into the web server's log, or correct the path or the `status` of the check.",
            ),
        )
    }

    /// A sound request that the server calls a bad one: it wants HTTPS, or this is hardly how the product is meant to speak to it.
    fn not_understood(&self) -> Option<Judgement> {
        if self.status != 400 || self.case.evidence.holds(Fact::Echoed) || !self.settings.status.is_empty() {
            return None;
        }
        if let Some(judgement) = tls::instead_of_plain(self.case) {
            return Some(judgement);
        }
        let (target, host) = (self.case.target(), &self.case.ask.host);
        let wants = format!("it has no site by the name `{host}`");
        let (wants, remedy) = if self.settings.https == Some(true) {
            (wants, String::new())
        } else {
            let wants = format!("it wants HTTPS on this port, or {wants}");
            (wants, format!(" If it is an HTTPS port, set `https: true` for `{}`.", self.case.flow.endpoint))
        };
        let sentence = format!("{target} answered over HTTP, but calls a plain request a bad one (400): {wants}.");
        Some(Judgement::warn(Code::HttpStatus, Confidence::Likely, sentence).remedy(
            Who::Profile,
            format!("See that `{host}` is a name for which the web server has a site (a binding, in IIS).{remedy}"),
        ))
    }

    /// A request with a body, or by a method that carries one, that is refused: what the check is for does not work.
    fn not_taken(&self) -> Option<Judgement> {
        let carries =
            self.settings.send_bytes.is_some() || matches!(self.settings.method, Some(Method::Post | Method::Put));
        let refused = matches!(self.status, 403 | 405 | 501) && self.settings.status.is_empty();
        if !carries || !refused || self.case.evidence.holds(Fact::Echoed) {
            return None;
        }
        let sentence = format!("{} answers, but refuses to take this request ({}).", self.case.target(), self.status);
        Some(Judgement::warn(Code::HttpStatus, Confidence::Likely, sentence).remedy(
            Who::Product,
            "Look into the web server's log for it: the path or the method may be wrong, or a filter in front of it refuses.",
        ))
    }

    fn elsewhere(&self) -> Option<Judgement> {
        if self.explicitly_accepted() { None } else { intercepted::elsewhere(self.case, self.status) }
    }

    fn body_in_parts(&self) -> Option<Judgement> {
        let failure = self.stopped?;
        if let Some(judgement) = of_tls(self.case, failure) {
            return Some(judgement);
        }
        let came = self.case.evidence.number(Fact::BodyBytes).unwrap_or(0);
        let target = self.case.target();
        if failure == Failure::TimedOut
            && let Some(judgement) = slow(self.case, came, self.settings.receive_bytes, "sending the answer")
        {
            return Some(judgement);
        }
        let (code, what) = match failure {
            Failure::TimedOut => {
                (Code::HttpStalled, format!("stopped in the middle of the answer, after {came} bytes of its body"))
            }
            Failure::Closed | Failure::Reset => {
                (Code::HttpSizeLimited, format!("cut the answer off after {came} bytes of its body"))
            }
            Failure::Malformed => (Code::HttpAltered, format!("sent a body that is no valid HTTP after {came} bytes")),
            other => return Some(lost_on_the_way(self.case, other)),
        };
        let sentence = format!("{target} answered ({}), but {what}.", self.status);
        let remedy =
            "Look for a proxy, firewall or load balancer on the way that inspects, limits or times out long answers.";
        Some(Judgement::fail(code, Confidence::Likely, sentence).lost(Lost::Reply).remedy(Who::Network, remedy))
    }

    fn altered(&self) -> Option<Judgement> {
        let text = self.settings.contains.as_deref().filter(|text| !text.is_empty())?;
        if self.case.evidence.holds(Fact::BodyMatches) {
            return None;
        }
        let banner =
            self.case.evidence.text(Fact::Banner).map_or(String::new(), |page| format!(" It began with `{page}`."));
        let sentence =
            format!("{} answered ({}), but without the text `{text}`.{banner}", self.case.target(), self.status);
        Some(Judgement::fail(Code::HttpAltered, Confidence::Proven, sentence).remedy(
            Who::Product,
            "Open the address in a browser on this machine: another service, a block page or a login page answers.",
        ))
    }

    /// A responder says what its page is.
    fn page_changed(&self) -> Option<Judgement> {
        let evidence = self.case.evidence;
        if evidence.fact(Fact::PageIntact).is_none() || evidence.holds(Fact::PageIntact) {
            return None;
        }
        let target = self.case.target();
        let by = self.case.ask.proxy().map_or_else(
            || "something on the way".to_owned(),
            |proxy| format!("the proxy {}, or something behind it,", host_port(&proxy.host, proxy.port)),
        );
        let sentence = format!(
            "The responder on {target} answered ({}), but its page did not come as it was sent: {by} changes pages.",
            self.status
        );
        Some(Judgement::warn(Code::HttpAltered, Confidence::Proven, sentence).remedy(
            Who::Network,
            format!("Exempt {target} from the proxy or filter on the way that rewrites HTTP, or use HTTPS."),
        ))
    }

    fn short(&self) -> Option<Judgement> {
        let wanted = self.settings.receive_bytes?;
        let came = self.case.evidence.number(Fact::BodyBytes).unwrap_or(0);
        if came >= wanted {
            return None;
        }
        let sentence = format!(
            "{} answered ({}) with {came} bytes instead of at least {wanted}.",
            self.case.target(),
            self.status
        );
        Some(Judgement::fail(Code::HttpSizeLimited, Confidence::Likely, sentence).lost(Lost::Reply).remedy(
            Who::Product,
            "Correct the path or `receive-bytes` of the check, or look for a limit on answers on the way.",
        ))
    }

    fn upload_in_parts(&self) -> Option<Judgement> {
        let (sent, wanted) = upload(self.case)?;
        if sent >= wanted || self.status >= 300 {
            return None;
        }
        let sentence = format!(
            "{} answered {} after only {sent} of {wanted} bytes of the request's body.",
            self.case.target(),
            self.status
        );
        Some(
            Judgement::warn(Code::HttpSizeLimited, Confidence::Likely, sentence)
                .remedy(Who::Product, "Look into the web server's log."),
        )
    }

    fn pass(&self) -> Judgement {
        let (target, status) = (self.case.target(), self.status);
        if self.case.evidence.holds(Fact::Echoed) {
            return Judgement::pass(format!(
                "The responder on {target} answered with this probe's own token ({status})."
            ));
        }
        let server = self.case.evidence.text(Fact::Server).map_or(String::new(), |name| format!(" by {name}"));
        let via = self.case.evidence.text(Fact::Via).filter(|_| self.case.ask.proxy().is_none());
        let via = via.map_or(String::new(), |via| format!(", through a proxy that no setting names ({via})"));
        let mut sentence = format!("{target} answered over HTTP{server}{via}: status {status}{}.", self.located());
        match self.status {
            401 | 403 => sentence.push_str(" The path is open; the service wants to know who asks."),
            404 => sentence.push_str(" The path is open; the service has no such page."),
            500..=599 => sentence.push_str(" The path is open; the service has trouble of its own."),
            _ => {}
        }
        Judgement::pass(sentence)
    }

    fn located(&self) -> String {
        self.case.evidence.text(Fact::Location).map_or(String::new(), |place| format!(" to {place}"))
    }
}
