//! Reaching the listener of a join code, and saying plainly what stood in the way where that fails.

use std::fmt::Write;
use std::time::SystemTime;

use super::super::args::CheckArgs;
use super::super::{CliError, bind, output, secrets, session};
use crate::model::ask::{Proxy, ProxyOrigin};
use crate::model::flow::Role;
use crate::model::span::Span;
use crate::peer::join::{BadCode, JoinCode};
use crate::peer::joiner::{CantJoin, Channel};
use crate::peer::listener::hex;
use crate::peer::message::{Hello, VERSION};
use crate::peer::search::{Missed, Search};
use crate::profile::{Profile, ProxySetting};
use crate::sys;

/// What came of the search for a listener.
pub(super) enum Reached {
    Joined(Box<Channel>),
    /// It was not reached where the join code says that it is.
    Missed {
        hosts: Vec<String>,
    },
}

/// Joins the listener. What was learned of one that is not reached goes into the profile.
///
/// # Errors
/// The code is none, or the listener refuses it.
pub(super) async fn reach(
    profile: &mut Profile,
    sides: &[Role],
    args: &CheckArgs,
    code: &str,
) -> Result<Reached, CliError> {
    let mut code: JoinCode = code.parse().map_err(|error: BadCode| CliError::usage(error.to_string()))?;
    let named: Vec<&str> = profile.endpoints.iter().filter_map(|endpoint| endpoint.host.as_deref()).collect();
    code.prefer(&named);
    let millis = |span: Span| u64::try_from(span.0.as_millis()).ok();
    let hello = Hello {
        version: VERSION,
        token: String::new(),
        run: uuid::Uuid::now_v7().to_string(),
        sides: sides.to_vec(),
        addresses: sys::own_addresses(),
        through_proxy: false,
        checks: args.only.clone(),
        timeout_ms: args.timeout.and_then(millis),
        deadline_ms: args.deadline.and_then(millis),
    };
    let proxies = proxies(profile, &code);
    let secrets = secrets::of(proxies.iter().filter_map(|proxy| proxy.account.as_ref()))?;
    let net = session::net_with(profile, secrets);
    match (Search { code: &code, proxies, source: None, net: &net }).join(hello, wait).await {
        Ok(channel) => Ok(Reached::Joined(Box::new(channel))),
        Err(CantJoin::Refused(why)) => Err(CliError::usage(format!("the listener refused: {why}"))),
        Err(CantJoin::Unreached(missed)) => {
            output::say(&unreached(&missed, &code));
            if missed.intercepted {
                for port in code.ports() {
                    bind::expect(profile, &code.hosts, port, &hex(&code.fingerprint));
                }
            }
            Ok(Reached::Missed { hosts: code.hosts })
        }
        Err(other) => {
            output::say(&format!(
                "The listener was reached, but the control channel broke: {other}. This side is tested alone."
            ));
            Ok(Reached::Missed { hosts: code.hosts })
        }
    }
}

/// Says that others are tested first.
fn wait(before: usize) {
    let others = if before == 1 { "1 other is".to_owned() } else { format!("{before} others are") };
    output::say(&format!("Joined the listener. {others} tested before this side: waiting for its turn."));
}

/// The proxies that the control channel may go through: those of the profile, then those of this machine.
fn proxies(profile: &Profile, code: &JoinCode) -> Vec<Proxy> {
    let named = profile.endpoints.iter().filter_map(|endpoint| match &endpoint.proxy {
        ProxySetting::At { host, port } => Some(Proxy {
            host: host.clone(),
            port: *port,
            auth: endpoint.proxy_auth,
            account: endpoint.proxy_account.clone(),
            origin: ProxyOrigin::Profile,
        }),
        _ => None,
    });
    let machine = session::with_surroundings(|around| {
        let said = code.hosts.iter().map(|host| around.proxies.of("https", host, code.port));
        said.filter(|said| !said.exempt).filter_map(|said| said.proxy).collect::<Vec<_>>()
    });
    let mut proxies: Vec<Proxy> = Vec::new();
    for proxy in named.chain(machine) {
        if !proxies.iter().any(|known| known.host == proxy.host && known.port == proxy.port) {
            proxies.push(proxy);
        }
    }
    proxies
}

fn unreached(missed: &Missed, code: &JoinCode) -> String {
    let mut text =
        "The other side's listener was not reached. This side is tested alone, and what only both can tell stays open."
            .to_owned();
    for way in &missed.ways {
        text.push_str("\n  ");
        text.push_str(way);
    }
    if missed.intercepted {
        text.push_str(
            "\nSomebody else's certificate came where the listener should be: TLS inspection stands in the way, or the listener has \
             ended and another service took its port. Nothing was told to it: the join code's secret is said only to the \
             listener's own certificate. Exempt that address and port from TLS inspection, or let the listener use a port that \
             is not inspected (`bothways listen … --control-port PORT`).",
        );
    }
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs());
    if now > code.expires {
        let minutes = (now - code.expires).div_ceil(60);
        let _ = write!(
            text,
            "\nBy this machine's clock the join code expired {minutes} minutes ago: if the listener has ended, start it again."
        );
    } else if !missed.intercepted {
        let _ = write!(
            text,
            "\nSee that `bothways listen` still runs there, and that TCP {} to it is open; or take both sides' runs apart and \
             join them with `bothways merge`.",
            code.port
        );
    }
    text
}
