//! Further looks at a conversation that fails: what is asked besides the check itself, to tell why.

/// One further look. Each publishes facts; none of them decides anything by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Look {
    /// Which devices on the way answer, on the very port, and from how far the target's answer comes.
    Path,
    /// Whether the conversation works with smaller packets, and up to which size.
    SmallPackets,
}
