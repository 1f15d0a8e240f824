//! What one way of asking for a name gave.

use std::net::IpAddr;
use std::time::Duration;

use super::decide::shown;
use crate::model::evidence::Failure;

#[derive(Debug, Clone)]
pub(super) struct Answer {
    /// Who answered, for people.
    pub who: String,
    pub addresses: Result<Vec<IpAddr>, NoAddress>,
    /// The full name that a search suffix made of a dotted one, which by itself does not exist.
    pub completed: Option<String>,
    /// How long it took, where that is measured.
    pub took: Duration,
}

/// Why there is no address.
#[derive(Debug, Clone)]
pub(super) struct NoAddress {
    /// Absent where the operating system does not tell.
    pub failure: Option<Failure>,
    /// For people.
    pub text: String,
    /// What was given in place of an address: `0.0.0.0` and `::` are no host's, and dialled they lead to this machine.
    pub nobody: Vec<IpAddr>,
}

impl NoAddress {
    pub fn new(failure: Option<Failure>, text: impl Into<String>) -> Self {
        Self { failure, text: text.into(), nobody: Vec::new() }
    }
}

impl Answer {
    /// The addresses found, each once; none at all is a name without an address.
    pub fn found(who: impl Into<String>, addresses: impl IntoIterator<Item = IpAddr>) -> Self {
        let (mut distinct, mut nobody) = (Vec::new(), Vec::new());
        for address in addresses {
            let list = if address.is_unspecified() { &mut nobody } else { &mut distinct };
            if !list.contains(&address) {
                list.push(address);
            }
        }
        match (distinct.is_empty(), nobody.is_empty()) {
            (false, _) => Self { who: who.into(), addresses: Ok(distinct), completed: None, took: Duration::ZERO },
            (true, true) => Self::none(who, Some(Failure::NameNoAddress), "the name has no address"),
            (true, false) => {
                let text = format!("{}, which is no host's address", shown(&nobody).join(", "));
                let missing = NoAddress { failure: Some(Failure::NameNoAddress), text, nobody };
                Self { who: who.into(), addresses: Err(missing), completed: None, took: Duration::ZERO }
            }
        }
    }

    pub fn none(who: impl Into<String>, failure: Option<Failure>, text: impl Into<String>) -> Self {
        Self { who: who.into(), addresses: Err(NoAddress::new(failure, text)), completed: None, took: Duration::ZERO }
    }

    #[must_use]
    pub fn completed_to(self, completed: Option<String>) -> Self {
        Self { completed, ..self }
    }

    pub fn failure(&self) -> Option<Failure> {
        self.addresses.as_ref().err().and_then(|missing| missing.failure)
    }

    /// One line for people: who, and what.
    pub fn line(&self) -> String {
        let asked = self.completed.as_deref().map_or_else(String::new, |name| format!("{name} is "));
        match &self.addresses {
            Ok(addresses) => format!("{}: {asked}{}", self.who, shown(addresses).join(", ")),
            Err(missing) => format!("{}: {}", self.who, missing.text),
        }
    }
}
