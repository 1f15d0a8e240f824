//! Conversations that show the rows of the table of proxies.

use bothways::model::ask::{Proxy, ProxyAuth, ProxyOrigin, Route};
use bothways::model::evidence::{Failure, StepKind};
use bothways::model::fact::Fact;
use bothways::model::finding::Judgement;
use bothways::model::probe::{Http, Probe};
use bothways::model::secret::{Account, SecretSource};
use serde_json::json;

use super::seen::Seen;

/// A request through a proxy, in plain or in a tunnel.
fn through(https: bool) -> Seen {
    let port = if https { 443 } else { 80 };
    let mut seen = Seen::of(Probe::Http(Http { https: Some(https), ..Http::default() }), port);
    let (host, origin) = ("proxy.lab.test".to_owned(), ProxyOrigin::Profile);
    seen.ask.route = Route::Proxy(Proxy { host, port: 3128, auth: ProxyAuth::None, account: None, origin });
    seen
}

fn with_account(mut seen: Seen) -> Seen {
    if let Route::Proxy(proxy) = &mut seen.ask.route {
        let password = SecretSource::Env("PASSWORD".to_owned());
        proxy.account = Some(Account { user: "svc".to_owned(), domain: None, password });
        proxy.auth = ProxyAuth::Basic;
    }
    seen.fact(Fact::ProxyAuth, "basic")
}

/// An answer to a plain request.
fn answered(status: u16) -> Seen {
    let seen = through(false).accepted().went_well(StepKind::Request).went_well(StepKind::Reply);
    seen.fact(Fact::Status, status).fact(Fact::StatusExpected, !matches!(status, 407 | 502..=504))
}

/// An answer to CONNECT, to this port.
fn refused_tunnel(status: u16, port: u16) -> Seen {
    let mut seen = through(true).accepted().fails(StepKind::Proxy, Failure::Unexpected);
    seen.ask.port = port;
    seen.fact(Fact::ProxyStatus, status)
}

fn hangs() -> Seen {
    through(false).accepted().went_well(StepKind::Request).fails(StepKind::Reply, Failure::TimedOut)
}

fn signed(seen: Seen, error: &str) -> Seen {
    seen.fact(Fact::ProxyError, format!("x-squid-error: {error} 0"))
}

fn accounts() -> Vec<(&'static str, Seen)> {
    let (wanted, failed) = ("407, and the profile has no account", "407 to the account");
    let schemes = json!(["negotiate", "ntlm"]);
    vec![
        ("the proxy's name or port is not reached", through(true).fails(StepKind::Connect, Failure::TimedOut)),
        ("the proxy's name or port is not reached", through(false).fails(StepKind::Connect, Failure::Refused)),
        (wanted, answered(407).fact(Fact::ProxyStatus, 407).fact(Fact::ProxySchemes, schemes)),
        (wanted, refused_tunnel(407, 443)),
        (failed, with_account(answered(407))),
        (failed, with_account(refused_tunnel(407, 443))),
    ]
}

fn refusals() -> Vec<(&'static str, Seen)> {
    let own = "an answer that the proxy wrote, other than 5xx";
    let (rule, nothing) =
        ("CONNECT refused, while plain HTTP passes, or a tunnel to 443 does", "CONNECT refused, and nothing more");
    let tunnelled = "an answer in a tunnel that a proxy signs as its own, after it opened TLS there";
    let opened = |status: u16| {
        let inside = through(true).accepted().went_well(StepKind::Proxy).went_well(StepKind::Tls);
        inside.went_well(StepKind::Reply).fact(Fact::Status, status).fact(Fact::StatusExpected, true)
    };
    let page = "to a plain request the page that also comes for a host that can't exist (`….invalid`)";
    vec![
        (own, signed(answered(403), "ERR_ACCESS_DENIED")),
        (own, answered(403).fact(Fact::Server, "gate").fact(Fact::ProxyItselfServer, "gate")),
        (own, refused_tunnel(403, 8443).fact(Fact::ProxyPlain, "proxy-denied")),
        (page, answered(200).fact(Fact::NowhereAnswer, "same")),
        (page, refused_tunnel(405, 443).fact(Fact::ProxyPlain, "proxy-denied").fact(Fact::NowhereAnswer, "same")),
        ("403, and nobody can tell who wrote it", answered(403)),
        (rule, refused_tunnel(403, 8443).fact(Fact::ProxyPlain, "ok")),
        (rule, refused_tunnel(403, 8443).fact(Fact::ProxyUsualTunnel, 200)),
        (nothing, refused_tunnel(403, 8443)),
        (nothing, refused_tunnel(405, 443)),
        (nothing, refused_tunnel(403, 443)),
        (tunnelled, signed(opened(403), "ERR_ACCESS_DENIED")),
        (tunnelled, signed(opened(503), "ERR_CONNECT_FAIL")),
    ]
}

fn upstream() -> Vec<(&'static str, Seen)> {
    let failed = "502, 503, 504, or another 5xx that the proxy wrote";
    let asked = |seen: Seen, itself: &str| seen.fact(Fact::ProxyItself, itself);
    vec![
        (failed, refused_tunnel(504, 443)),
        (failed, answered(502)),
        (failed, signed(answered(503), "ERR_CONNECT_FAIL")),
        (failed, signed(answered(500), "ERR_CANNOT_FORWARD")),
        ("500, and nobody can tell who wrote it", answered(500)),
        (
            "the proxy takes the request and answers about itself, but not about the target",
            hangs().fact(Fact::ProxyItself, 400),
        ),
        ("the proxy takes the request and answers nothing at all", asked(hangs(), "no answer")),
    ]
}

#[test]
fn the_table_of_proxies_is_what_the_judges_do() {
    let all = accounts().into_iter().chain(refusals()).chain(upstream());
    let shown: Vec<(&str, Judgement)> = all.map(|(name, seen)| (name, seen.judged())).collect();
    super::assert_told("Proxies", &shown, &[]);
}
