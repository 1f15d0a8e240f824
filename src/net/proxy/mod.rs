//! HTTP proxies: tunnels (CONNECT, RFC 9110 9.3.6) and forwarded requests, with authentication.
//!
//! What a proxy's refusal means is judged in `diagnose`; the TLS inside a tunnel is in [`super::tls`].

mod challenge;
mod login;
#[cfg(feature = "smb")]
mod ntlm;

use std::net::SocketAddr;

use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::header::{HOST, HeaderName, HeaderValue, PROXY_AUTHORIZATION, SERVER, USER_AGENT, VIA};
use hyper::{HeaderMap, Method, Request, Response, StatusCode, Uri};

use super::http::{Conversation, Outgoing};
use super::trace::{OpenStep, Trace};
use super::{Net, Stopped, Stream, tcp};
use crate::model::ask::{Ask, Proxy, ProxyAuth, host_port};
use crate::model::evidence::{Failure, StepKind};
use crate::model::fact::Fact;
use challenge::{Challenge, challenges};
use login::Login;

/// Requests that one authentication takes at most: a challenge, an answer, and one more for a stale digest.
const MOST_ROUNDS: usize = 4;

/// The name with which requests are signed.
pub const USER_AGENT_NAME: &str = concat!("bothways/", env!("CARGO_PKG_VERSION"));

/// Headers in which proxies say what they themselves met.
static OWN_WORDS: [HeaderName; 2] = [HeaderName::from_static("x-squid-error"), HeaderName::from_static("proxy-status")];

/// Asks the proxy at `address` for a tunnel to the target over a connection to it; one `proxy` step for each round.
///
/// A proxy that closes after its challenge is connected to again where the scheme allows it (not NTLM).
///
/// # Errors
/// [`Stopped`] where the proxy does not give a tunnel; the step and the facts hold the reason.
pub async fn tunnel(
    stream: Stream,
    proxy: &Proxy,
    ask: &Ask,
    address: SocketAddr,
    net: &Net,
    trace: &Trace,
) -> Result<Stream, Stopped> {
    name(proxy, trace);
    let target = ask.target();
    let uri: Option<Uri> = target.parse().ok();
    let Some(uri) = uri.filter(|uri| uri.authority().is_some()) else {
        return Err(trace.begin(StepKind::Proxy, None).fail_with(Failure::Internal, "the target is no host and port"));
    };
    let mut rounds = Rounds::begin(stream, proxy, ask, address, net, trace).await?;
    for _ in 0..MOST_ROUNDS {
        let request = rounds.request(Method::CONNECT, uri.clone(), &target);
        let Some((answer, step)) = rounds.ask(request).await? else { continue };
        if answer.status().is_success() {
            return match rounds.line.switch(answer).await {
                Ok(stream) => {
                    step.pass();
                    Ok(stream)
                }
                Err(broken) => Err(broken.end(step)),
            };
        }
        rounds.again(answer, step, &Method::CONNECT, &target).await?;
    }
    Err(trace.begin(StepKind::Proxy, Some(address.to_string())).fail(Failure::Unexpected))
}

/// Prepares a forwarded request: what the proxy must be told in `Proxy-Authorization`, and the connection to use.
///
/// Basic needs no round. For digest and NTLM a `HEAD` without a body fetches the challenge, so that the real request,
/// which may have a large body, is sent once.
///
/// # Errors
/// [`Stopped`] where the proxy gives no challenge that can be met; the step and the facts hold the reason.
pub async fn authenticate(
    stream: Stream,
    request: (&Method, &Uri),
    ask: &Ask,
    address: SocketAddr,
    net: &Net,
    trace: &Trace,
) -> Result<(Conversation, Option<HeaderValue>), Stopped> {
    let Some(proxy) = ask.proxy() else { return Ok((Conversation::open(stream, trace).await?, None)) };
    name(proxy, trace);
    let mut rounds = Rounds::begin(stream, proxy, ask, address, net, trace).await?;
    if !rounds.login.needs_challenge() {
        return Ok((rounds.line, rounds.header));
    }
    let (method, uri) = request;
    let host = uri.authority().map_or_else(|| ask.target(), ToString::to_string);
    for _ in 0..MOST_ROUNDS {
        let question = rounds.request(Method::HEAD, uri.clone(), &host);
        let Some((answer, step)) = rounds.ask(question).await? else { continue };
        if answer.status() == StatusCode::PROXY_AUTHENTICATION_REQUIRED {
            rounds.again(answer, step, method, &uri.to_string()).await?;
        } else {
            rounds.header = None;
            let note = format!("{}: the proxy does not ask who it is", answer.status());
            rounds.keep(answer, step, note).await?;
        }
        return Ok((rounds.line, rounds.header));
    }
    Err(trace.begin(StepKind::Proxy, Some(address.to_string())).fail(Failure::Unexpected))
}

/// Publishes what an answer says of the proxies that it came through.
pub fn seen(headers: &HeaderMap, trace: &Trace) {
    let text = |name: &HeaderName| headers.get(name).map(|value| cut(&String::from_utf8_lossy(value.as_bytes())));
    for (name, fact) in [(&VIA, Fact::Via), (&SERVER, Fact::Server)] {
        if let Some(value) = text(name) {
            trace.fact(fact, value);
        }
    }
    if let Some(words) = own_words(headers) {
        trace.fact(Fact::ProxyError, words);
    }
    let offered = challenges(headers);
    if !offered.is_empty() {
        trace.fact(Fact::ProxySchemes, schemes(&offered));
    }
}

/// What a proxy says of a failure of its own; `Proxy-Status` comes with good answers too (RFC 9209 2.1).
fn own_words(headers: &HeaderMap) -> Option<String> {
    let said = |name: &HeaderName| Some(cut(&String::from_utf8_lossy(headers.get(name)?.as_bytes())));
    let words = OWN_WORDS.iter().filter_map(|name| Some((name, said(name)?)));
    let words = words.filter(|(name, value)| **name != "proxy-status" || value.contains("error="));
    let words: Vec<String> = words.map(|(name, value)| format!("{name}: {value}")).collect();
    (!words.is_empty()).then(|| words.join("; "))
}

/// Asks a proxy for a page of its own, and publishes how its own answers look.
///
/// # Errors
/// [`Stopped`] where it gives no answer in HTTP.
pub async fn itself(ask: &Ask, address: SocketAddr, trace: &Trace) -> Result<(), Stopped> {
    let Some(proxy) = ask.proxy() else { return Err(Stopped) };
    let aside = trace.fork();
    let stream = tcp::connect(address, ask, &aside).await?;
    let mut line = Conversation::open(Box::new(stream), &aside).await?;
    let mut request = Request::new(Outgoing::nothing());
    if let Ok(host) = HeaderValue::from_str(&host_port(&proxy.host, proxy.port)) {
        request.headers_mut().insert(HOST, host);
    }
    request.headers_mut().insert(USER_AGENT, HeaderValue::from_static(USER_AGENT_NAME));
    let answer = line.ask(request).await.map_err(|_| Stopped)?;
    trace.fact(Fact::ProxyItself, answer.status().as_u16());
    if let Some(server) = answer.headers().get(SERVER) {
        trace.fact(Fact::ProxyItselfServer, cut(&String::from_utf8_lossy(server.as_bytes())));
    }
    if let Some(words) = own_words(answer.headers()) {
        trace.fact(Fact::ProxyItselfError, words);
    }
    Ok(())
}

/// The readable start of a page, for people: white space folded, at most 200 characters.
#[must_use]
pub fn readable(page: &[u8]) -> String {
    let text = String::from_utf8_lossy(page.get(..1024).unwrap_or(page));
    let folded = text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty());
    cut(&folded.collect::<Vec<_>>().join(" "))
}

fn cut(text: &str) -> String {
    text.chars().take(200).collect()
}

fn schemes(offered: &[Challenge]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for challenge in offered {
        if !names.contains(&challenge.scheme) {
            names.push(cut(&challenge.scheme));
        }
    }
    names.truncate(8);
    names
}

fn name(proxy: &Proxy, trace: &Trace) {
    trace.fact(Fact::Proxy, host_port(&proxy.host, proxy.port));
    trace.fact(Fact::ProxySource, proxy.origin.word());
}

/// The requests of one authentication, on one connection where the proxy lets it.
struct Rounds<'a> {
    proxy: &'a Proxy,
    ask: &'a Ask,
    address: SocketAddr,
    trace: &'a Trace,
    login: Login,
    line: Conversation,
    /// What the next request carries.
    header: Option<HeaderValue>,
    /// Requests answered on this connection.
    answered: usize,
}

impl<'a> Rounds<'a> {
    async fn begin(
        stream: Stream,
        proxy: &'a Proxy,
        ask: &'a Ask,
        address: SocketAddr,
        net: &Net,
        trace: &'a Trace,
    ) -> Result<Self, Stopped> {
        let mut login = match Login::begin(proxy, net) {
            Ok(login) => login,
            Err(failure) => {
                if failure == Failure::NotBuilt {
                    trace.fact(Fact::MissingFeature, "smb");
                }
                return Err(trace.begin(StepKind::Proxy, Some(address.to_string())).fail(failure));
            }
        };
        let header = login.opening();
        let line = Conversation::open(stream, trace).await?;
        let rounds = Self { proxy, ask, address, trace, login, line, header, answered: 0 };
        if rounds.login.proves(true) {
            rounds.proved();
        }
        Ok(rounds)
    }

    fn proved(&self) {
        self.trace.fact(Fact::ProxyAuth, self.proxy.auth.word());
    }

    fn request(&self, method: Method, uri: Uri, host: &str) -> Request<Outgoing> {
        let mut request = Request::new(Outgoing::nothing());
        *request.method_mut() = method;
        *request.uri_mut() = uri;
        let headers = request.headers_mut();
        if let Ok(host) = HeaderValue::from_str(host) {
            headers.insert(HOST, host);
        }
        headers.insert(USER_AGENT, HeaderValue::from_static(USER_AGENT_NAME));
        // HTTP/1.0 proxies keep a connection for NTLM's rounds only so.
        headers.insert(HeaderName::from_static("proxy-connection"), HeaderValue::from_static("keep-alive"));
        if let Some(authorization) = &self.header {
            headers.insert(PROXY_AUTHORIZATION, authorization.clone());
        }
        request
    }

    /// Asks once. Nothing comes back where the proxy had closed a used connection and there is a new one now.
    async fn ask(&mut self, request: Request<Outgoing>) -> Result<Option<(Response<Incoming>, OpenStep)>, Stopped> {
        let step = self.trace.begin(StepKind::Proxy, Some(self.address.to_string()));
        match self.line.ask(request).await {
            Ok(answer) => {
                self.answered += 1;
                self.trace.fact(Fact::ProxyStatus, answer.status().as_u16());
                if !answer.status().is_success() {
                    seen(answer.headers(), self.trace);
                }
                Ok(Some((answer, step)))
            }
            Err(broken) => {
                let closed = matches!(broken.failure, Failure::Closed | Failure::Reset);
                if !closed || self.answered == 0 || self.login.bound_to_connection() {
                    return Err(broken.end(step));
                }
                step.pass_with("the proxy had closed the connection");
                self.dial_again().await?;
                Ok(None)
            }
        }
    }

    /// Makes ready for the next round after a refusal, or ends here where there is nothing more to say.
    async fn again(
        &mut self,
        answer: Response<Incoming>,
        step: OpenStep,
        method: &Method,
        target: &str,
    ) -> Result<(), Stopped> {
        let status = answer.status();
        let offered = challenges(answer.headers());
        if status == StatusCode::PROXY_AUTHENTICATION_REQUIRED
            && let Some(next) = self.login.answer(&offered, method, target)
        {
            self.header = Some(next);
            self.proved();
            return self.keep(answer, step, format!("{status}: {}", schemes(&offered).join(", "))).await;
        }
        let lacking = self.proxy.account.is_none() && self.proxy.auth != ProxyAuth::None;
        let failure = match status {
            StatusCode::PROXY_AUTHENTICATION_REQUIRED if lacking => Failure::NeedsCredentials,
            _ => Failure::Unexpected,
        };
        let stopped = step.fail_with(failure, status.to_string());
        self.banner(answer).await;
        Err(stopped)
    }

    /// Ends a round well; the connection is kept, or replaced where the scheme allows it.
    async fn keep(&mut self, answer: Response<Incoming>, step: OpenStep, note: String) -> Result<(), Stopped> {
        if self.line.settle(answer).await {
            step.pass_with(note);
            return Ok(());
        }
        if self.login.bound_to_connection() && self.header.is_some() {
            return Err(step.fail_with(Failure::Closed, format!("{note}; then the proxy closed the connection")));
        }
        step.pass_with(note);
        self.dial_again().await
    }

    async fn dial_again(&mut self) -> Result<(), Stopped> {
        let connection = tcp::connect(self.address, self.ask, self.trace).await?;
        self.line = Conversation::open(Box::new(connection), self.trace).await?;
        self.answered = 0;
        Ok(())
    }

    async fn banner(&self, answer: Response<Incoming>) {
        let mut body = answer.into_body();
        if let Some(Ok(frame)) = body.frame().await
            && let Some(page) = frame.data_ref()
        {
            self.trace.fact(Fact::Banner, readable(page));
        }
    }
}
