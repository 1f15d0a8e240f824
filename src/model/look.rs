//! Further looks at a conversation that fails: what is asked besides the check itself, to tell why.

/// One further look. Each publishes facts; none of them decides anything by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Look {
    /// Which devices on the way answer, on the very port, and from how far the target's answer comes.
    Path,
    /// What comes back to TLS hellos with other server names, and to plain HTTP on the same port.
    Hello,
    /// What time it is for the target.
    Clock,
}
