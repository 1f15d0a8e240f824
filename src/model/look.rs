//! Further looks at a conversation that fails: what is asked besides the check itself, to tell why.

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
    /// What comes back to TLS hellos with other server names, and to plain HTTP on the same port.
    Hello,
    /// What time it is for the target.
    Clock,
}
