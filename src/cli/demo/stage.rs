//! The responders of a demo: on the real ports where this machine lets us, on free high ports otherwise.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use super::super::{CliError, session};
use crate::model::flow::{Role, Transport};
use crate::plan::{self, Plan, PlannedAnswer};
use crate::profile::Profile;
use crate::profile::suggest::hint;
use crate::responder::{self, Certificate, Open, Peers, Service, Shared};

/// Every responder of the demo, answering.
pub(super) struct Stage {
    pub shared: Arc<Shared>,
    lines: Vec<String>,
    responders: Vec<Open>,
    blocks: Vec<Block>,
}

impl Stage {
    /// Opens all responders and writes the ports they got into the profile. The ports of the check `broken` are blocked.
    pub(super) async fn set(profile: &mut Profile, roles: &[Role], broken: Option<&str>) -> Result<Self, CliError> {
        let host = Ipv4Addr::LOCALHOST.to_string();
        let certificate = Certificate::for_names(&[host, "localhost".to_owned()])
            .map_err(|error| CliError::tool(format!("no certificate could be made: {error}")))?;
        pin(profile, &certificate);
        let shared = Arc::new(Shared::new(Peers::loopback(), certificate));
        let mut stage = Self { shared, lines: Vec::new(), responders: Vec::new(), blocks: Vec::new() };
        let plan = session::with_surroundings(|around| plan::make(profile, roles, &[], around))
            .map_err(|why| CliError::usage(why.to_string()))?;
        if let Some(check) = broken {
            breakable(&plan, check)?;
        }
        let mut answers = plan.answers;
        // SQL Browser tells the port of its instance, which is known once that responder is open.
        answers.sort_by_key(|answer| matches!(answer.service, Service::SqlBrowser(_)));
        let mut told = Vec::new();
        for mut answer in answers {
            if let Service::SqlBrowser(browser) = &mut answer.service {
                for (instance, port) in &mut browser.instances {
                    *port = told.iter().find(|(name, _)| name == instance).map_or(*port, |(_, port)| *port);
                }
            }
            let blocked = broken.is_some_and(|check| answer.checks.iter().any(|id| id == check));
            let port = stage.open(&answer, blocked).await?;
            if answer.announced {
                told.extend(instance(&answer.service).map(|name| (name, port)));
            } else {
                set_port(profile, &answer, port);
            }
        }
        Ok(stage)
    }

    async fn open(&mut self, answer: &PlannedAnswer, blocked: bool) -> Result<u16, CliError> {
        let (port, state) = if blocked {
            let block = Block::new(answer.service.protocol().transport())?;
            let port = block.port;
            self.blocks.push(block);
            (port, "blocked on purpose")
        } else {
            let open = self.respond(answer).await?;
            let port = open.address.port();
            self.responders.push(open);
            (port, if port == answer.port { "the real port" } else { "a free port instead" })
        };
        let transport = answer.service.protocol().transport();
        self.lines.push(format!(
            "  {:<20} {transport} {port:<5} {state}: {}",
            answer.endpoint,
            answer.checks.join(", ")
        ));
        Ok(port)
    }

    async fn respond(&self, answer: &PlannedAnswer) -> Result<Open, CliError> {
        let real = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), answer.port);
        if let Ok(open) = responder::open(answer.service.clone(), real, Arc::clone(&self.shared)).await {
            return Ok(open);
        }
        // Taken, or not for this user: any free port proves the same here.
        let free = SocketAddr::new(real.ip(), 0);
        responder::open(answer.service.clone(), free, Arc::clone(&self.shared))
            .await
            .map_err(|error| CliError::tool(format!("no port can be opened for `{}`: {error}", answer.endpoint)))
    }

    pub(super) fn len(&self) -> usize {
        self.responders.len()
    }

    /// One line for each port.
    pub(super) fn describe(&self) -> String {
        self.lines.join("\n")
    }
}

/// Whether the demo runs the check, so that it can fail.
fn breakable(plan: &Plan, check: &str) -> Result<(), CliError> {
    let mut ids: Vec<&str> = Vec::new();
    for probe in &plan.probes {
        if !ids.contains(&probe.flow.check.as_str()) {
            ids.push(&probe.flow.check);
        }
    }
    if ids.contains(&check) {
        return Ok(());
    }
    let why = match plan.untested.iter().find(|untested| untested.flow.check == check) {
        Some(untested) => format!("`{check}` can't be broken, as the demo does not run it: {}", untested.sentence),
        None => format!("there is no check `{check}` to break{}.", hint(check, ids.iter().copied())),
    };
    Err(CliError::usage(format!("{why} Those that can be broken: {}", ids.join(", "))))
}

/// The demo's servers are known by their certificate, as nobody signed it.
fn pin(profile: &mut Profile, certificate: &Certificate) {
    for endpoint in profile.endpoints.iter_mut().filter(|endpoint| endpoint.https == Some(true)) {
        endpoint.tls.fingerprint = Some(certificate.fingerprint.clone());
    }
}

fn set_port(profile: &mut Profile, answer: &PlannedAnswer, port: u16) {
    if let Some(endpoint) = profile.endpoints.iter_mut().find(|endpoint| endpoint.name == answer.endpoint) {
        endpoint.ports.retain(|(key, _)| *key != answer.port_key);
        endpoint.ports.push((answer.port_key.clone(), port));
    }
}

fn instance(service: &Service) -> Option<String> {
    match service {
        Service::Sql(sql) => Some(sql.instance.clone()),
        _ => None,
    }
}

/// A port that looks as if a firewall stood before it.
struct Block {
    port: u16,
    _listener: Option<TcpListener>,
    _fillers: Vec<TcpStream>,
}

impl Block {
    /// TCP: a listener whose queue is full, so that the system drops further connection requests as a firewall does (on
    /// systems that refuse instead, the port shows as refused). UDP: a port on which nothing listens, which is refused:
    /// bare silence would prove nothing.
    fn new(transport: Transport) -> Result<Self, CliError> {
        Self::bind(transport).map_err(|error| CliError::tool(format!("no port can be blocked: {error}")))
    }

    fn bind(transport: Transport) -> io::Result<Self> {
        let any = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
        if transport == Transport::Udp {
            let port = std::net::UdpSocket::bind(any)?.local_addr()?.port();
            return Ok(Self { port, _listener: None, _fillers: Vec::new() });
        }
        let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None)?;
        socket.bind(&any.into())?;
        socket.listen(0)?;
        let listener: TcpListener = socket.into();
        let address = listener.local_addr()?;
        let filler = |_| TcpStream::connect_timeout(&address, Duration::from_millis(20)).ok();
        let fillers = (0..4).map_while(filler).collect();
        Ok(Self { port: address.port(), _listener: Some(listener), _fillers: fillers })
    }
}
