//! Further looks at a conversation that fails: what is asked besides the check itself, to tell why.

use serde::{Deserialize, Serialize};

/// One further look. Each publishes facts; none of them decides anything by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Look {
    /// Where packets to the very port are lost: which devices on the way answer them, and which answer only others.
    Path,
    /// How far the one is that accepts or refuses on the very port.
    Answerer,
    /// How far other packets to the same host come.
    Beside,
    /// Whether the conversation works with smaller packets, and up to which size.
    SmallPackets,
    /// Whether further connections open at once, where a request had to be repeated.
    Again,
    /// What becomes of a connection over which nothing is said: whether it is closed or reset all the same.
    Unasked,
    /// Whether packets of full size pass where small ones did.
    FullPackets,
    /// The same question by the way that was not chosen: directly, or through a proxy that a setting names.
    OtherWay,
    /// What the proxy says to a question about itself: whether it answers at all, and how its own answers look.
    ProxyItself,
    /// What else the proxy lets pass to the target: plain requests, and tunnels to the usual port.
    ProxyRules,
    /// The same request with a small body, and a plain GET of the same page.
    Lighter,
    /// Whether the other host that a redirect points to is the target by another name.
    Location,
    /// Whether the page that came is given to everybody: for hosts that can't exist, too.
    StandIn,
    /// Whether a file server that is silent on its port answers on that of NetBIOS.
    Netbios,
    /// What comes back to TLS hellos with other server names, and to plain HTTP on the same port.
    Hello,
    /// What time it is for the target.
    Clock,
    /// Whether the same WebSocket upgrade works over HTTPS, or in plain where it was asked for over HTTPS.
    OtherScheme,
    /// How long an idle WebSocket lives, and whether one that says something now and then does.
    IdleTimes,
}

/// The same WebSocket over the other scheme.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct OtherScheme {
    pub https: bool,
    pub port: u16,
    /// Whether the upgrade was accepted and a ping answered.
    pub works: bool,
    /// Whether this machine has nothing against the certificate; true where there is none.
    pub trusted: bool,
    /// The status of the answer, where one came.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub status: Option<u16>,
}

/// One idle WebSocket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Idle {
    /// How long it was to stay idle.
    pub idle_ms: u64,
    /// Whether it still carried data both ways after that.
    pub survived: bool,
    /// When it ended, where it did so by a sign and not in silence.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub died_after_ms: Option<u64>,
}

/// A WebSocket on which a ping went out now and then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct KeptAlive {
    pub every_ms: u64,
    /// How long it was watched.
    pub for_ms: u64,
    pub survived: bool,
}
