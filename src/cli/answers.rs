//! Opening the responders of this side's roles on every address of this machine, and saying what answers on each port.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use super::output;
use crate::model::flow::Transport;
use crate::model::sighting::{AnsweredBy, Answering};
use crate::plan::PlannedAnswer;
use crate::responder::{self, Open, Service, Shared};

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
            let by = answers.one(answer, shared).await;
            answers.list.push(Answering {
                role: answer.role.clone(),
                endpoint: answer.endpoint.clone(),
                transport: answer.service.protocol().transport(),
                port: answer.port,
                checks: answer.checks.clone(),
                by,
            });
        }
        answers
    }

    async fn one(&mut self, answer: &PlannedAnswer, shared: &Arc<Shared>) -> AnsweredBy {
        let everywhere = [IpAddr::V4(Ipv4Addr::UNSPECIFIED), IpAddr::V6(Ipv6Addr::UNSPECIFIED)];
        let mut by = AnsweredBy::Nothing;
        for ip in everywhere {
            match bind(&answer.service, SocketAddr::new(ip, answer.port), shared).await {
                Ok(open) => {
                    self.open.push(open);
                    by = AnsweredBy::Responder;
                }
                Err(error) if ip.is_ipv4() && error.kind() == io::ErrorKind::AddrInUse => return AnsweredBy::Service,
                Err(error) if ip.is_ipv4() => {
                    let transport = answer.service.protocol().transport();
                    output::say(&format!("  {transport} {} can't be opened here: {error}", answer.port));
                }
                // A machine without IPv6 answers over IPv4 alone.
                Err(_) => {}
            }
        }
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
                AnsweredBy::Nothing => "nothing answers",
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

async fn bind(service: &Service, address: SocketAddr, shared: &Arc<Shared>) -> io::Result<Open> {
    responder::open(service.clone(), address, Arc::clone(shared)).await
}
