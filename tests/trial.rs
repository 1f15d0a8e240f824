//! What was found wrong by trying the program as its users do: behind real firewalls, and against peers of all kinds.

use std::time::Duration;

use bothways::model::ask::{Ask, Proxy, ProxyAuth, ProxyOrigin, Route};
use bothways::model::code::Code;
use bothways::model::finding::{Status, Who};
use bothways::model::probe::{Http, Probe, SqlBrowser, Tcp, Tftp};
use bothways::model::secret::{Account, SecretSource};

use crate::support::hostile::{Hostile, Manner};
use crate::support::namespaces::{Network, Node, ROUTER, SERVER};
use crate::support::{self, Seen};

const SHORT: Duration = Duration::from_millis(400);

/// Each transport's probe, asked of the server from the client behind one firewall rule.
fn all_behind(node: Node, hook: &str, rule: &str) -> Vec<Seen> {
    let network = Network::new();
    network.rule(node, hook, rule);
    let probes = [
        (Probe::Tcp(Tcp::default()), 32227),
        (Probe::SqlBrowser(SqlBrowser::default()), 1434),
        (Probe::Tftp(Tftp::default()), 69),
    ];
    let asks = probes.map(|(probe, port)| {
        let mut ask = support::ask(probe, port);
        SERVER.clone_into(&mut ask.host);
        ask
    });
    let seen = asks
        .iter()
        .map(|ask| network.inside(Node::Client, || async move { support::run_within(ask, &[], SHORT).await }));
    seen.collect()
}

#[track_caller]
fn assert_all(seen: &[Seen], code: Code, who: Who, words: &str) {
    for Seen { judgement, evidence } in seen {
        assert_eq!((judgement.status, judgement.code), (Status::Fail, code), "{judgement:?} {evidence:?}");
        assert_eq!(judgement.remedy.as_ref().map(|remedy| remedy.who), Some(who), "{judgement:?}");
        assert!(judgement.sentence.contains(words), "`{words}` is not in: {}", judgement.sentence);
    }
}

#[test]
fn a_firewall_of_this_machine_that_rejects_is_a_local_block_for_datagrams_too() {
    for with in ["", " with icmp admin-prohibited"] {
        let seen = all_behind(Node::Client, "output", &format!("meta l4proto {{ tcp, udp }} reject{with}"));
        assert_all(&seen, Code::LocalBlock, Who::ThisHost, "this machine's own system");
    }
}

#[test]
fn a_host_that_says_of_itself_that_it_is_unreachable_is_switched_on() {
    let rule = "meta l4proto { tcp, udp } reject with icmp host-unreachable";
    assert_all(&all_behind(Node::Server, "input", rule), Code::Rejected, Who::TargetHost, "the host itself");
}

#[test]
fn a_device_that_refuses_in_the_path_is_where_the_rule_is() {
    let seen = all_behind(Node::Router, "forward", "meta l4proto { tcp, udp } reject");
    assert_all(&seen, Code::RefusedInPath, Who::Network, ROUTER);
    for Seen { judgement, .. } in seen {
        let remedy = judgement.remedy.expect("a remedy");
        assert!(remedy.text.ends_with(&format!("The rule is on {ROUTER}.")), "{}", remedy.text);
    }
}

#[test]
fn a_machine_without_a_route_is_told_to_get_one() {
    let network = Network::new();
    network.ip(Node::Client, "route del default\n");
    let mut ask = support::ask(Probe::Tftp(Tftp::default()), 69);
    SERVER.clone_into(&mut ask.host);
    let seen = network.inside(Node::Client, || async { support::run_within(&ask, &[], SHORT).await });
    assert_all(&[seen], Code::Unreachable, Who::ThisHost, "this machine has no route");
}

/// What a page through a proxy that makes such an answer itself is judged as.
async fn through_a_proxy_that_says(status: u16, via: &str) -> Seen {
    let answer = format!("HTTP/1.1 {status} No\r\nServer: tinyproxy/1.11.1\r\n{via}Content-Length: 0\r\n\r\n");
    let proxy = Hostile::tcp(Manner::Saying(answer.into_bytes())).await;
    let account = Account { user: "user".to_owned(), domain: None, password: SecretSource::Env("UNUSED".to_owned()) };
    let route = Route::Proxy(Proxy {
        host: proxy.address.ip().to_string(),
        port: proxy.address.port(),
        auth: ProxyAuth::Basic,
        account: Some(account.clone()),
        origin: ProxyOrigin::Profile,
    });
    let ask = Ask { route, ..support::ask(Probe::Http(Http::default()), 81) };
    support::run_within(&ask, &[(account.password, "secret")], SHORT).await
}

#[tokio::test]
async fn an_answer_that_may_be_a_proxys_own_is_no_success() {
    for (status, code) in [(500, Code::ProxyUpstreamFailed), (401, Code::ProxyAuthFailed)] {
        let seen = through_a_proxy_that_says(status, "").await;
        assert_eq!((seen.judgement.status, seen.judgement.code), (Status::Unknown, code), "{:?}", seen.judgement);
        let seen = through_a_proxy_that_says(status, "Via: 1.1 tinyproxy\r\n").await;
        assert_eq!(seen.judgement.status, Status::Pass, "{:?}", seen.judgement);
    }
    let seen = through_a_proxy_that_says(403, "").await;
    assert_eq!((seen.judgement.status, seen.judgement.code), (Status::Warn, Code::ProxyDenied), "{:?}", seen.judgement);
}
