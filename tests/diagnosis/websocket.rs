//! Conversations that show the rows of the tables of WebSocket.

use bothways::model::evidence::{Failure, StepKind};
use bothways::model::fact::Fact;
use bothways::model::finding::{Judgement, Status};
use bothways::model::probe::{Probe, Websocket};
use bothways::model::span::Span;
use serde_json::json;

use super::seen::Seen;

/// An upgrade of a named path.
fn asked(https: bool, hold: Option<Span>) -> Seen {
    let settings = Websocket { https: Some(https), path: Some("/ws".to_owned()), subprotocol: None, hold };
    let seen = Seen::of(Probe::Websocket(settings), if https { 443 } else { 80 }).accepted();
    let seen = if https { seen.went_well(StepKind::Tls) } else { seen };
    seen.went_well(StepKind::Request)
}

fn answered(https: bool, status: u16) -> Seen {
    asked(https, None).fails(StepKind::Reply, Failure::Unexpected).fact(Fact::Status, status)
}

impl Seen {
    fn over_the_other_scheme(self, https: bool, works: bool) -> Self {
        let port = if https { 443 } else { 80 };
        self.fact(Fact::OtherScheme, json!({"https": https, "port": port, "works": works, "trusted": true}))
    }

    fn upgraded(self) -> Self {
        self.fact(Fact::Status, 101).fact(Fact::AcceptKey, "right").fact(Fact::UpgradeAnswer, true)
    }

    /// Idle connections lived for two seconds and died within four; one with pings survived, or did not.
    fn beside(self, kept: bool) -> Self {
        let idle = json!([{"idle-ms": 2000, "survived": true}, {"idle-ms": 4000, "survived": false}]);
        let pinged = json!({"every-ms": 1000, "for-ms": 8000, "survived": kept});
        self.fact(Fact::IdleTimes, idle).fact(Fact::KeptAlive, pinged)
    }
}

#[test]
fn the_table_of_upgrades_is_what_the_judges_do() {
    let (plain, encrypted) = (
        "200, 400, 426 or 505 | does not work",
        "200, 400, 426 or 505, where it was asked for over HTTPS | works only in plain",
    );
    let (lost, mute) = ("101 with a wrong or no key |", "101, and no pong |");
    let mut shown: Vec<(&str, Seen)> = Vec::new();
    for status in [200, 204, 400, 404, 405, 426, 505] {
        let works = answered(false, status).over_the_other_scheme(true, true);
        shown.push(("200, 204, 400, 404, 405, 426 or 505 | works", works));
    }
    for status in [200, 400, 426, 505] {
        shown.push((plain, answered(false, status).over_the_other_scheme(true, false)));
        shown.push((plain, answered(true, status).fact(Fact::Via, "1.1 gate")));
        shown.push((encrypted, answered(true, status).over_the_other_scheme(false, true)));
    }
    for status in [200, 400, 426] {
        let echoed = answered(false, status).fact(Fact::Echoed, true);
        shown.push(("200, 400 or 426, and the responder there repeated the token |", echoed));
    }
    let no_pong = |failure| asked(false, None).upgraded().fails(StepKind::Reply, failure);
    shown.extend([
        ("another status |", answered(false, 403)),
        ("another status |", answered(true, 200)),
        (lost, answered(false, 101).fact(Fact::AcceptKey, "wrong")),
        (lost, answered(false, 101).fact(Fact::AcceptKey, "missing")),
        (mute, no_pong(Failure::TimedOut)),
        (mute, no_pong(Failure::Reset)),
    ]);
    let shown: Vec<(&str, Judgement)> = shown.into_iter().map(|(name, seen)| (name, seen.judged())).collect();
    super::assert_shown(&super::tables("WebSocket")[0], &shown, &[]);
}

#[test]
fn an_upgrade_at_a_path_that_nobody_named_is_left_open() {
    for status in [200, 403] {
        let mut seen = answered(false, status);
        seen.ask.probe = Probe::Websocket(Websocket { path: None, ..Websocket::default() });
        assert_eq!(seen.judged().status, Status::Unknown);
    }
}

#[test]
fn the_table_of_idle_connections_is_what_the_judges_do() {
    let (ended, found) = (
        "is closed or reset while idle | the one with pings lives",
        "is found dead after it: silence, or a reset to the ping | the same",
    );
    let held = || asked(false, Some(Span::seconds(8))).upgraded().fact(Fact::Pong, true);
    let while_idle = |failure| held().fails(StepKind::Hold, failure).fact(Fact::DiedAfterMs, 3000);
    let after = |failure| held().went_well(StepKind::Hold).fails(StepKind::Reply, failure);
    let pushed = held().went_well(StepKind::Hold).went_well(StepKind::Reply).fact(Fact::Echoed, true);
    let shown = [
        (ended, while_idle(Failure::Closed).beside(true)),
        (ended, while_idle(Failure::Reset).beside(true)),
        (found, after(Failure::TimedOut).beside(true)),
        (found, after(Failure::Reset).beside(true)),
        ("either | the one with pings dies too", while_idle(Failure::Closed).beside(false)),
        ("either | the one with pings dies too", after(Failure::TimedOut).beside(false)),
        ("ends with a Close frame |", while_idle(Failure::Unexpected).fact(Fact::CloseCode, 1001)),
        (
            "answers a ping, but the far side's push after the idle time did not come |",
            pushed.fact(Fact::Pushed, false),
        ),
    ];
    let shown = shown.map(|(name, seen)| (name, seen.judged()));
    super::assert_shown(&super::tables("WebSocket")[1], &shown, &[]);
}
