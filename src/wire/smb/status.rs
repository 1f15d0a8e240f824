//! The NT statuses that SMB servers answer with (MS-ERREF 2.3.1), as far as they say something about a flow.

macro_rules! statuses {
    ($($name:ident = $value:literal),+ $(,)?) => {
        $(pub const $name: u32 = $value;)+

        /// The name of a status, where this list has it.
        #[must_use]
        pub fn name(status: u32) -> Option<&'static str> {
            match status { $($value => Some(concat!("STATUS_", stringify!($name))),)+ _ => None }
        }
    };
}

statuses! {
    SUCCESS = 0x0000_0000,
    PENDING = 0x0000_0103,
    INVALID_PARAMETER = 0xC000_000D,
    MORE_PROCESSING_REQUIRED = 0xC000_0016,
    ACCESS_DENIED = 0xC000_0022,
    NO_LOGON_SERVERS = 0xC000_005E,
    NO_SUCH_USER = 0xC000_0064,
    WRONG_PASSWORD = 0xC000_006A,
    LOGON_FAILURE = 0xC000_006D,
    ACCOUNT_RESTRICTION = 0xC000_006E,
    INVALID_LOGON_HOURS = 0xC000_006F,
    INVALID_WORKSTATION = 0xC000_0070,
    PASSWORD_EXPIRED = 0xC000_0071,
    ACCOUNT_DISABLED = 0xC000_0072,
    INSUFFICIENT_RESOURCES = 0xC000_009A,
    NOT_SUPPORTED = 0xC000_00BB,
    NETWORK_NAME_DELETED = 0xC000_00C9,
    NETWORK_ACCESS_DENIED = 0xC000_00CA,
    BAD_DEVICE_TYPE = 0xC000_00CB,
    BAD_NETWORK_NAME = 0xC000_00CC,
    TOO_MANY_SESSIONS = 0xC000_00CE,
    REQUEST_NOT_ACCEPTED = 0xC000_00D0,
    TIME_DIFFERENCE_AT_DC = 0xC000_0133,
    LOGON_TYPE_NOT_GRANTED = 0xC000_015B,
    TRUST_FAILURE = 0xC000_0190,
    ACCOUNT_EXPIRED = 0xC000_0193,
    USER_SESSION_DELETED = 0xC000_0203,
    PASSWORD_MUST_CHANGE = 0xC000_0224,
    ACCOUNT_LOCKED_OUT = 0xC000_0234,
    PATH_NOT_COVERED = 0xC000_0257,
    NETWORK_SESSION_EXPIRED = 0xC000_035C,
}

/// A status as people look it up: its name where known, and its number.
#[must_use]
pub fn describe(status: u32) -> String {
    name(status).map_or_else(|| number(status), |name| format!("{name} ({})", number(status)))
}

/// A status as the record holds it: `0xC000006D`.
#[must_use]
pub fn number(status: u32) -> String {
    format!("0x{status:08X}")
}

/// A status back from its number.
#[must_use]
pub fn parse(number: &str) -> Option<u32> {
    u32::from_str_radix(number.strip_prefix("0x")?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_written_and_read_again() {
        assert_eq!(number(LOGON_FAILURE), "0xC000006D");
        assert_eq!(parse("0xC000006D"), Some(LOGON_FAILURE));
        assert_eq!(describe(LOGON_FAILURE), "STATUS_LOGON_FAILURE (0xC000006D)");
        assert_eq!(describe(0xC0FF_EE00), "0xC0FFEE00");
    }
}
