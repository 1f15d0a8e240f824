//! Host names, addresses and proxies as people write them in profiles.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::ProxySetting;

/// What is wrong with what was written, and what to write.
pub type Wrong = (String, String);

/// A host without a port: a name, an IPv4 address, or an IPv6 address with or without brackets.
///
/// # Errors
/// What is wrong with it.
pub fn host(written: &str) -> Result<String, Wrong> {
    let bare = written.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(written);
    if let Ok(address) = bare.parse::<IpAddr>() {
        return one_host(address, written);
    }
    if let Some((scheme, rest)) = written.split_once("://") {
        let place = rest.split('/').next().unwrap_or_default();
        let (host, port) = place.split_once(':').unwrap_or((place, ""));
        let port = if port.is_empty() { String::new() } else { format!(", `port: {port}`") };
        let remedy = format!("write `host: {host}`{port}, and `https: {}` if HTTP is spoken", scheme == "https");
        return Err((format!("`{}` is a URL, not a host", shown(written)), remedy));
    }
    if let Some(share) = written.strip_prefix(r"\\") {
        let (host, share) = share.split_once('\\').unwrap_or((share, "…"));
        return Err((
            format!("`{}` is a path, not a host", shown(written)),
            format!("write `host: {host}` and `share: {share}`"),
        ));
    }
    if let Some((name, port)) = written.rsplit_once(':')
        && port.parse::<u16>().is_ok()
        && !name.contains(':')
    {
        return Err((
            format!("`{}` has a port in it", shown(written)),
            format!("write `host: {name}` and `port: {port}`"),
        ));
    }
    if let Some((address, _)) = bare.split_once('%')
        && address.parse::<Ipv6Addr>().is_ok()
    {
        let remedy = "write a host name, or an address that is valid beyond one link";
        return Err((format!("`{}` names an interface of this machine", shown(written)), remedy.to_owned()));
    }
    name(written)
}

/// An address at which one host can be.
fn one_host(address: IpAddr, written: &str) -> Result<String, Wrong> {
    let everyone = address == IpAddr::V4(Ipv4Addr::BROADCAST);
    let what = match address.to_canonical() {
        own if own.is_unspecified() => "stands for every address of this machine",
        many if many.is_multicast() || everyone => "is the address of many hosts at once",
        _ => return Ok(address.to_string()),
    };
    Err((format!("`{}` {what}", shown(written)), "write the host's own name or address".to_owned()))
}

fn name(written: &str) -> Result<String, Wrong> {
    let wrong =
        |why: &str, remedy: &str| Err((format!("`{}` is not a host: {why}", shown(written)), remedy.to_owned()));
    let name_or_address = "write a host name such as `pc-1.example.com`, or an address";
    if !written.is_ascii() {
        return wrong("names on the wire have ASCII letters only", "write the name in its `xn--` form");
    }
    let labels: Vec<&str> = written.strip_suffix('.').unwrap_or(written).split('.').collect();
    if written.len() > 253 || labels.iter().any(|label| label.len() > 63) {
        return wrong("it is too long", name_or_address);
    }
    if labels.iter().any(|label| label.is_empty()) {
        return wrong("a part of it is empty", name_or_address);
    }
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    if let Some(odd) = written.chars().find(|c| !(*c == '.' || u8::try_from(*c).is_ok_and(allowed))) {
        return wrong(&format!("it may not contain `{}`", odd.escape_default()), name_or_address);
    }
    if labels.iter().any(|label| label.starts_with('-') || label.ends_with('-')) {
        return wrong("a part of it starts or ends with a hyphen", name_or_address);
    }
    let numeric = labels.last().is_some_and(|last| last.bytes().all(|b| b.is_ascii_digit()));
    if numeric && written.parse::<IpAddr>().is_err() {
        return wrong("an IPv4 address has four numbers from 0 to 255", "correct the address");
    }
    Ok(written.to_owned())
}

/// A host with an optional port: `pc-2:32300`, `[::1]:8443`, `2001:db8::1`.
///
/// # Errors
/// What is wrong with it.
pub fn host_and_port(written: &str) -> Result<(String, Option<u16>), Wrong> {
    if written.parse::<Ipv6Addr>().is_ok() {
        return Ok((host(written)?, None));
    }
    let (before, port) = match written.rsplit_once(':') {
        Some((before, port)) if !before.contains(':') || before.ends_with(']') => (before, Some(port)),
        _ => (written, None),
    };
    let Some(port) = port else { return Ok((host(written)?, None)) };
    match port.parse::<u16>() {
        Ok(number) if number > 0 && port.bytes().all(|b| b.is_ascii_digit()) => Ok((host(before)?, Some(number))),
        _ if before.contains("//") || port.contains('/') => host(written).map(|host| (host, None)),
        _ => Err((
            format!("`{}` is not a port", shown(port)),
            "write a number from 1 to 65535 after the colon".to_owned(),
        )),
    }
}

/// `none`, `system`, `http://host:port` or `host:port`.
///
/// # Errors
/// What is wrong with it.
pub fn proxy(written: &str) -> Result<ProxySetting, Wrong> {
    match written {
        "none" => return Ok(ProxySetting::None),
        "system" => return Ok(ProxySetting::System),
        _ => {}
    }
    let form = || "write `none`, `system`, or `http://host:port`".to_owned();
    let rest = match written.split_once("://") {
        None => written,
        Some(("http", rest)) => rest,
        Some((scheme, _)) => {
            return Err((format!("a proxy spoken to over {} is not supported", shown(scheme)), form()));
        }
    };
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    if rest.contains('@') {
        let remedy = "write the user under `proxy-user:`, and `proxy-password: { env: NAME }`";
        return Err(("a user and password do not belong into the proxy's address".to_owned(), remedy.to_owned()));
    }
    match host_and_port(rest)? {
        (host, Some(port)) => Ok(ProxySetting::At { host, port }),
        (_, None) => Err((format!("the proxy `{}` has no port", shown(written)), form())),
    }
}

fn shown(written: &str) -> String {
    written.chars().take(60).map(|c| if c.is_control() { '·' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_names_or_addresses() {
        for (written, read) in [
            ("mdm.example.com", "mdm.example.com"),
            ("pc_1", "pc_1"),
            ("10.0.0.5", "10.0.0.5"),
            ("2001:DB8::1", "2001:db8::1"),
            ("[::1]", "::1"),
            ("host.", "host."),
        ] {
            assert_eq!(host(written).as_deref(), Ok(read), "{written}");
        }
        for written in
            ["", "a b", "a..b", "10.0.0.256", "1.2.3", "-a", "https://a/", r"\\a\b", "a:80", "fe80::1%eth0", "é", "a/b"]
        {
            assert!(host(written).is_err(), "{written}");
        }
    }

    #[test]
    fn ports_stand_after_a_colon() {
        for (written, host, port) in [
            ("pc-1", "pc-1", None),
            ("pc-2:32300", "pc-2", Some(32300)),
            ("2001:db8::1", "2001:db8::1", None),
            ("[::1]:8443", "::1", Some(8443)),
            ("[::1]", "::1", None),
        ] {
            assert_eq!(host_and_port(written), Ok((host.to_owned(), port)), "{written}");
        }
        for written in ["a:", "a:0", "a:70000", "a:+5", "http://a:80/", "[::1]:x", ":80"] {
            assert!(host_and_port(written).is_err(), "{written}");
        }
    }

    #[test]
    fn a_proxy_needs_a_port_and_takes_no_password() {
        let at = |host: &str, port| ProxySetting::At { host: host.to_owned(), port };
        assert_eq!(proxy("http://proxy:3128/"), Ok(at("proxy", 3128)));
        assert_eq!(proxy("[::1]:3128"), Ok(at("::1", 3128)));
        assert_eq!(proxy("system"), Ok(ProxySetting::System));
        for written in ["proxy", "https://proxy:3128", "http://u:p@proxy:3128", "socks5://a:1", "http://"] {
            let (message, _) = proxy(written).expect_err(written);
            assert!(!message.contains("u:p"), "{message}");
        }
    }
}
