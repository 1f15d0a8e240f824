//! Opening the responders of this side's roles on every address of this machine, and saying what answers on each port.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use super::output;
use crate::model::flow::Transport;
use crate::model::sighting::{AnsweredBy, Answering};
use crate::plan::PlannedAnswer;
use crate::responder::{self, Open, Service, Shared};
use crate::sys;

/// The responders of one side.
pub(super) struct Answers {
    pub open: Vec<Open>,
    pub list: Vec<Answering>,
}

impl Answers {
    /// Opens every responder that is planned. A port that something else holds is left to that: it is then what gets tested.
    pub(super) async fn open(planned: &[PlannedAnswer], shared: &Arc<Shared>) -> Self {
        let mut answers = Self { open: Vec::new(), list: Vec::new() };
        for answer in planned {
            let [v4, v6] = answers.both_families(answer, shared).await;
            // A machine without IPv6 has nothing to answer there, and is not asked.
            let by = if v4 == AnsweredBy::Nothing { v6 } else { v4 };
            answers.list.push(Answering {
                role: answer.role.clone(),
                endpoint: answer.endpoint.clone(),
                transport: answer.service.protocol().transport(),
                port: answer.port,
                checks: answer.checks.clone(),
                by,
                over_v6: Some(v6).filter(|v6| *v6 != by),
            });
        }
        answers
    }

    /// Opens responders on ports that something else held and has given back; whether on all of them.
    pub(super) async fn take_over(&mut self, planned: &[PlannedAnswer], shared: &Arc<Shared>) -> bool {
        let mut all = true;
        for answer in planned {
            let same = |line: &Answering| line.endpoint == answer.endpoint && line.port == answer.port;
            let held = self.list.iter().position(|line| same(line) && line.by == AnsweredBy::Service);
            let Some(held) = held else { continue };
            let [v4, v6] = self.both_families(answer, shared).await;
            if v4 == AnsweredBy::Responder {
                let line = &mut self.list[held];
                (line.by, line.over_v6) = (v4, Some(v6).filter(|v6| *v6 != v4));
            } else {
                all = false;
            }
        }
        all
    }

    /// What answers over IPv4 and over IPv6. Where a service is there for one of them, nothing is put in its place for the
    /// other: that it does not answer there is what a check is to find.
    async fn both_families(&mut self, answer: &PlannedAnswer, shared: &Arc<Shared>) -> [AnsweredBy; 2] {
        let everywhere = [IpAddr::V4(Ipv4Addr::UNSPECIFIED), IpAddr::V6(Ipv6Addr::UNSPECIFIED)];
        let mut opened = Vec::new();
        let mut by = [AnsweredBy::Nothing; 2];
        for (by, ip) in by.iter_mut().zip(everywhere) {
            match bind(&answer.service, SocketAddr::new(ip, answer.port), shared).await {
                Ok(open) => {
                    opened.push(open);
                    *by = AnsweredBy::Responder;
                }
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => *by = holder(answer, ip, shared).await,
                Err(error) if ip.is_ipv4() => {
                    let transport = answer.service.protocol().transport();
                    output::say(&format!("  {transport} {} can't be opened here: {error}", answer.port));
                }
                Err(_) => {}
            }
        }
        if by.iter().any(|one| matches!(one, AnsweredBy::Service | AnsweredBy::Elsewhere)) {
            return by.map(|one| if one == AnsweredBy::Responder { AnsweredBy::Nothing } else { one });
        }
        self.open.extend(opened);
        by
    }

    /// The ports, for whoever watches them.
    pub(super) fn ports(&self) -> Vec<(Transport, u16)> {
        self.list.iter().map(|answer| (answer.transport, answer.port)).collect()
    }

    /// One line for each port.
    pub(super) fn describe(&self) -> String {
        let line = |answer: &Answering| {
            let by = match answer.by {
                AnsweredBy::Responder => "a responder answers",
                AnsweredBy::Service => "something holds it already: that is what gets tested",
                AnsweredBy::Elsewhere => "something holds it for other addresses only (127.0.0.1, for instance)",
                AnsweredBy::Nothing => "nothing answers",
            };
            let by = match answer.over_v6 {
                Some(AnsweredBy::Responder) => format!("{by}; over IPv6 a responder answers"),
                Some(AnsweredBy::Service) => format!("{by}; over IPv6 something holds it already"),
                Some(AnsweredBy::Elsewhere) => format!("{by}; over IPv6 something holds it for other addresses only"),
                Some(AnsweredBy::Nothing) | None => by.to_owned(),
            };
            format!(
                "  {:<20} {} {:<5} {by} ({})",
                answer.endpoint,
                answer.transport,
                answer.port,
                answer.checks.join(", ")
            )
        };
        self.list.iter().map(line).collect::<Vec<_>>().join("\n")
    }
}

/// Who holds a port: it may do so for some of this machine's addresses and leave those free by which others come.
async fn holder(answer: &PlannedAnswer, family: IpAddr, shared: &Arc<Shared>) -> AnsweredBy {
    let own: Vec<IpAddr> = sys::own_addresses().into_iter().filter(|ip| ip.is_ipv4() == family.is_ipv4()).collect();
    for ip in &own {
        let free = bind(&answer.service, SocketAddr::new(*ip, answer.port), shared).await;
        if free.is_err() {
            return AnsweredBy::Service;
        }
    }
    if own.is_empty() { AnsweredBy::Service } else { AnsweredBy::Elsewhere }
}

async fn bind(service: &Service, address: SocketAddr, shared: &Arc<Shared>) -> io::Result<Open> {
    responder::open(service.clone(), address, Arc::clone(shared)).await
}
