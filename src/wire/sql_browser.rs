//! SQL Server Browser messages (MC-SQLR 2.2): which instances a host has, and on which ports.

/// What is asked (MC-SQLR 2.2.1 to 2.2.3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Question {
    /// `CLNT_BCAST_EX`: all instances, asked of everybody.
    Everybody,
    /// `CLNT_UCAST_EX`: all instances.
    All,
    /// `CLNT_UCAST_INST`: one instance. A name that is not there is not answered.
    Instance(String),
}

/// One instance as the browser describes it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Instance {
    /// Names and values in order: `ServerName`, `InstanceName`, `IsClustered`, `Version`, then protocols (`tcp`, `np`, …).
    pub pairs: Vec<(String, String)>,
}

/// Why bytes are not an answer of SQL Browser.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotBrowser {
    #[error("not an answer of SQL Browser")]
    OtherKind,
    #[error("shorter than it says of itself")]
    Truncated,
    #[error("a description without an instance's name")]
    Nameless,
}

const ANSWER: u8 = 0x05;
/// Names are of 16 characters at most, 32 bytes here; a little more costs nothing.
const LONGEST_NAME: usize = 255;

impl Question {
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Self::Everybody => vec![0x02],
            Self::All => vec![0x03],
            Self::Instance(name) => {
                let name = name.bytes().filter(|byte| *byte != 0).take(LONGEST_NAME);
                [0x04].into_iter().chain(name).chain([0]).collect()
            }
        }
    }

    /// Reads a question; `None` for anything else.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        match bytes {
            [0x02] => Some(Self::Everybody),
            [0x03] => Some(Self::All),
            [0x04, name @ ..] => {
                let name = name.split(|byte| *byte == 0).next().filter(|name| !name.is_empty())?;
                (name.len() <= LONGEST_NAME).then(|| Self::Instance(String::from_utf8_lossy(name).into_owned()))
            }
            _ => None,
        }
    }
}

impl Instance {
    /// An instance with a TCP port.
    #[must_use]
    pub fn on_port(server: &str, name: &str, version: &str, port: u16) -> Self {
        let port = port.to_string();
        let pairs = [
            ("ServerName", server),
            ("InstanceName", name),
            ("IsClustered", "No"),
            ("Version", version),
            ("tcp", port.as_str()),
        ];
        Self { pairs: pairs.map(|(key, value)| (key.to_owned(), clean(value))).to_vec() }
    }

    /// The value of a name, in whatever case it is written.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<&str> {
        self.pairs.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    #[must_use]
    pub fn name(&self) -> &str {
        self.value("InstanceName").unwrap_or_default()
    }

    /// The TCP port; `None` where TCP is off for the instance, or left out for want of room.
    #[must_use]
    pub fn port(&self) -> Option<u16> {
        self.value("tcp")?.trim().parse().ok().filter(|port| *port != 0)
    }
}

/// An answer that describes these instances, as many as fit into one.
#[must_use]
pub fn encode(instances: &[Instance]) -> Vec<u8> {
    let mut text = String::new();
    for instance in instances {
        let pairs: Vec<_> = instance.pairs.iter().map(|(key, value)| format!("{key};{value}")).collect();
        let one = pairs.join(";") + ";;";
        // One datagram of IPv4 carries 65,507 bytes.
        if text.len() + one.len() > 65_000 {
            break;
        }
        text += &one;
    }
    let size = u16::try_from(text.len()).unwrap_or(u16::MAX).to_le_bytes();
    [&[ANSWER][..], &size, text.as_bytes()].concat()
}

/// Reads an answer (`SVR_RESP`, MC-SQLR 2.2.5). Bytes after the end that it gives of itself are left alone.
///
/// # Errors
/// [`NotBrowser`] where it is something else, or not whole.
pub fn decode(bytes: &[u8]) -> Result<Vec<Instance>, NotBrowser> {
    let [ANSWER, s1, s2, data @ ..] = bytes else { return Err(NotBrowser::OtherKind) };
    let data = data.get(..usize::from(u16::from_le_bytes([*s1, *s2]))).ok_or(NotBrowser::Truncated)?;
    let text = String::from_utf8_lossy(data);
    let mut instances: Vec<Instance> = Vec::new();
    let mut words = text.split(';');
    let mut open = false;
    while let Some(key) = words.next() {
        // `;;` ends an instance: an empty name where one is due. An empty value (`bv;;`) is no end.
        if key.trim_matches('\0').is_empty() {
            open = false;
            continue;
        }
        let Some(value) = words.next() else { break };
        if !open || (key == "ServerName" && instances.last().is_some_and(|one| one.value(key).is_some())) {
            instances.push(Instance::default());
            open = true;
        }
        if let Some(instance) = instances.last_mut() {
            instance.pairs.push((key.to_owned(), value.to_owned()));
        }
    }
    if instances.iter().any(|instance| instance.name().is_empty()) {
        return Err(NotBrowser::Nameless);
    }
    Ok(instances)
}

/// A value without the character that would end it.
fn clean(value: &str) -> String {
    value.replace([';', '\0'], "")
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_written_is_read_back(list in vec(("[A-Z0-9]{1,15}", "[A-Z0-9_]{1,16}", 1u16..), 0..30)) {
            let instances: Vec<_> =
                list.iter().map(|(server, name, port)| Instance::on_port(server, name, "16.0.1000.6", *port)).collect();
            prop_assert_eq!(decode(&encode(&instances)), Ok(instances));
        }

        #[test]
        fn a_question_is_read_back(name in "[A-Za-z0-9_$]{1,32}") {
            let question = Question::Instance(name);
            prop_assert_eq!(Question::decode(&question.encode()), Some(question));
        }

        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in vec(any::<u8>(), 0..300), text in "[A-Za-z;]{0,80}") {
            let _ = (decode(&bytes), Question::decode(&bytes));
            let size = u16::try_from(text.len()).expect("short").to_le_bytes();
            let _ = decode(&[&[ANSWER][..], &size, text.as_bytes()].concat());
        }
    }

    fn answer(text: &str) -> Vec<u8> {
        let size = u16::try_from(text.len()).expect("short").to_le_bytes();
        [&[ANSWER][..], &size, text.as_bytes()].concat()
    }

    #[test]
    fn two_instances_with_pipes_and_empty_values_are_told_apart() {
        let text = "ServerName;DB1;InstanceName;MSSQLSERVER;IsClustered;No;Version;15.0.2000.5;tcp;1433;np;\\\\DB1\\pipe\\sql\\query;;\
                    ServerName;DB1;InstanceName;OLD;IsClustered;No;Version;9.00.1;bv;;@DB1;;tcp;49731;;";
        let instances = decode(&answer(text)).expect("an answer");
        let seen: Vec<_> = instances.iter().map(|one| (one.name(), one.port())).collect();
        assert_eq!(seen, [("MSSQLSERVER", Some(1433)), ("OLD", Some(49731))]);
        assert_eq!(instances[0].value("np"), Some("\\\\DB1\\pipe\\sql\\query"));
    }

    #[test]
    fn a_missing_tcp_entry_is_no_port() {
        let text = "ServerName;DB1;InstanceName;X;IsClustered;No;Version;15.0.2000.5;np;\\\\DB1\\pipe\\x;;";
        assert_eq!(decode(&answer(text)).expect("an answer")[0].port(), None);
    }

    #[test]
    fn an_answer_shorter_than_it_says_is_refused() {
        let mut bytes = answer("ServerName;DB1;InstanceName;X;;");
        bytes.pop();
        assert_eq!(decode(&bytes), Err(NotBrowser::Truncated));
    }
}
