//! The asking half of HTTP(S) requests (RFC 9110): one request, its body if the check wants one, and its answer.
//!
//! Redirects are shown, not followed. Tunnels, forwarded requests and their authentication are in [`crate::net::proxy`].

mod question;
mod reading;

use std::net::SocketAddr;
use std::time::Instant;

use hyper::body::Incoming;
use hyper::header::LOCATION;
use hyper::{HeaderMap, Response};

use crate::model::ask::Ask;
use crate::model::evidence::{Failure, Millis, StepKind};
use crate::model::fact::Fact;
use crate::model::probe::Http;
use crate::model::token::Token;
use crate::net::channel::{self, Security, Tunnel};
use crate::net::http::{Broken, Conversation};
use crate::net::trace::Trace;
use crate::net::{Net, Stopped, proxy};
use question::Question;

pub(super) async fn run(
    settings: &Http,
    ask: &Ask,
    address: SocketAddr,
    net: &Net,
    trace: &Trace,
) -> Result<(), Stopped> {
    trace.fact(Fact::Token, ask.token.as_str());
    let Some(question) = Question::of(settings, ask) else {
        return Err(trace.begin(StepKind::Request, None).fail_with(Failure::Internal, "the host is no part of a URI"));
    };
    let security = if settings.https == Some(true) { Security::Tls } else { Security::Plain };
    let stream = channel::open(ask, address, security, Tunnel::WhenEncrypted, net, trace).await?;
    let (mut line, authorization) = match security {
        Security::Tls => (Conversation::open(stream, trace).await?, None),
        Security::Plain => {
            proxy::authenticate(stream, (&question.method, &question.uri), ask, address, net, trace).await?
        }
    };
    line.publish(trace);
    let begun = Instant::now();
    let request = question.request(&ask.token, authorization);
    let first = send(&question, request, &mut line, address, trace).await?;
    let step = trace.begin(StepKind::Reply, Some(address.to_string()));
    let answer = match first {
        First::Answer(answer) => Ok(answer),
        First::Waiting(waiting) => waiting.await,
    };
    let answer = match answer {
        Ok(answer) => answer,
        Err(broken) => return Err(broken.end(step)),
    };
    describe(settings, ask, &answer, trace);
    let status = answer.status();
    let read = reading::read(settings, answer, &line, trace).await;
    trace.fact(Fact::TotalMs, Millis::from_duration(begun.elapsed()).as_f64());
    match read {
        Ok(()) => step.pass_with(status.to_string()),
        Err(broken) => return Err(broken.end(step)),
    }
    Ok(())
}

type Waiting = std::pin::Pin<Box<dyn Future<Output = Result<Response<Incoming>, Broken>> + Send>>;

/// Where sending a request led to.
enum First {
    /// All is sent; the answer is still to come.
    Waiting(Waiting),
    /// The answer is there already.
    Answer(Response<Incoming>),
}

/// Sends the request with its body. An answer that comes earlier ends the sending, unless it is a 2xx, which promises
/// to take the rest.
async fn send(
    question: &Question,
    request: hyper::Request<crate::net::http::Outgoing>,
    line: &mut Conversation,
    address: SocketAddr,
    trace: &Trace,
) -> Result<First, Stopped> {
    let wanted = request.body().total();
    if question.has_body() {
        trace.fact(Fact::RequestBodyWanted, wanted);
        trace.fact(Fact::RequestBodyBytes, 0);
    }
    let step = trace.begin(StepKind::Request, Some(address.to_string()));
    let note = format!("{} {}", question.method, question.uri);
    let mut waiting: Waiting = Box::pin(line.ask(request));
    let sent = line.sent();
    tokio::pin!(sent);
    let early = tokio::select! {
        biased;
        () = &mut sent => None,
        answer = &mut waiting => Some(answer),
    };
    let answer = match early {
        None => {
            step.pass_with(note);
            return Ok(First::Waiting(waiting));
        }
        Some(Err(broken)) => return Err(broken.end(step)),
        Some(Ok(answer)) => answer,
    };
    if answer.status().is_success() {
        tokio::select! {
            biased;
            () = &mut sent => {}
            () = line.ended() => {}
        }
    }
    step.pass_with(format!("{note}; the answer came before all of the body was taken"));
    Ok(First::Answer(answer))
}

/// Publishes what the head of an answer says.
fn describe(settings: &Http, ask: &Ask, answer: &Response<Incoming>, trace: &Trace) {
    let status = answer.status().as_u16();
    let headers = answer.headers();
    trace.fact(Fact::Status, status);
    trace.fact(Fact::StatusExpected, accepts(settings, status));
    trace.fact(Fact::Echoed, text(headers, Token::HEADER).as_deref() == Some(ask.token.as_str()));
    if let Some(location) = text(headers, LOCATION.as_str()) {
        trace.fact(Fact::Location, location);
    }
    proxy::seen(headers, trace);
    if status == 407 {
        trace.fact(Fact::ProxyStatus, status);
    }
}

/// Whether a status is one that the check accepts; without a list, any that the service itself can give.
fn accepts(settings: &Http, status: u16) -> bool {
    if settings.status.is_empty() {
        return !matches!(status, 407 | 502..=504);
    }
    settings.status.iter().any(|range| range.contains(status))
}

/// A header for people, cut where it is longer than any sensible one.
fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    let value = headers.get(name)?;
    Some(String::from_utf8_lossy(value.as_bytes()).chars().take(500).collect())
}
