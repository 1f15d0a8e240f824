//! Which setting decides, by the rules that other programs follow.

use super::*;
use crate::model::ask::Chosen;

fn machine(variables: &[(&str, &str)]) -> Machine {
    Machine::new(variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())), Vec::new())
}

fn place(said: &Said) -> Option<(&str, u16)> {
    said.proxy.as_ref().map(|proxy| (proxy.host.as_str(), proxy.port))
}

#[test]
fn the_schemes_own_variable_in_lower_case_is_asked_first() {
    let all = [("ALL_PROXY", "http://all:1"), ("HTTP_PROXY", "http://upper:2"), ("http_proxy", "http://lower:3")];
    let machine = machine(&all);
    let http = machine.of("http", "host", 80);
    assert_eq!(place(&http), Some(("lower", 3)));
    let lines = [
        "environment http_proxy: http://lower:3",
        "environment HTTP_PROXY: http://upper:2",
        "environment ALL_PROXY: http://all:1",
    ];
    assert_eq!(http.sources, lines);
    assert_eq!(place(&machine.of("https", "host", 443)), Some(("all", 1)));
}

#[test]
fn a_variable_that_is_empty_or_no_proxy_of_ours_is_passed_over_and_told() {
    let machine = machine(&[("http_proxy", " "), ("HTTP_PROXY", "socks5://s:1080"), ("ALL_PROXY", "p:3128")]);
    let said = machine.of("http", "host", 80);
    assert_eq!(place(&said), Some(("p", 3128)));
    assert_eq!(said.sources.len(), 2, "{:?}", said.sources);
    assert!(said.sources[0].starts_with("environment HTTP_PROXY: not used"), "{:?}", said.sources);
}

#[test]
fn in_a_cgi_program_only_the_variable_that_visitors_can_set_is_not_used() {
    let visited = |name| machine(&[(name, "http://p:1"), ("REQUEST_METHOD", "GET")]);
    let said = visited("HTTP_PROXY").of("http", "host", 80);
    assert_eq!(said.proxy, None);
    assert!(said.sources[0].contains("REQUEST_METHOD"), "{:?}", said.sources);
    assert_eq!(place(&visited("http_proxy").of("http", "host", 80)), Some(("p", 1)));
    assert_eq!(place(&visited("HTTPS_PROXY").of("https", "host", 443)), Some(("p", 1)));
}

#[test]
fn an_account_in_the_url_is_used_and_never_shown() {
    let url = "http://us%65r:h%40nter2@p:3128/";
    let said = machine(&[("HTTP_PROXY", url)]).of("http", "host", 80);
    let proxy = said.proxy.clone().expect("a proxy");
    let account = proxy.account.clone().expect("an account");
    assert_eq!((account.user.as_str(), proxy.auth), ("user", ProxyAuth::Basic));
    assert_eq!(account.password, SecretSource::ProxyUrl("HTTP_PROXY".to_owned()));
    assert_eq!(password(url).as_deref(), Some("h@nter2"));
    assert!(!format!("{said:?}").contains("nter2"), "{said:?}");
}

#[test]
fn the_entry_that_exempts_a_host_is_named() {
    let cases = [
        ("localhost, .corp.example", "srv.corp.example", Some(".corp.example")),
        ("corp.example", "srv.corp.example", Some("corp.example")),
        ("corp.example", "notcorp.example", None),
        ("10.0.0.0/8", "10.9.2.2", Some("10.0.0.0/8")),
        ("10.9.2.2:80", "10.9.2.2", Some("10.9.2.2:80")),
        ("10.9.2.2:443", "10.9.2.2", None),
        ("fd09::/16", "fd09:2::2", Some("fd09::/16")),
        ("[fd09:2::2]", "fd09:2::2", Some("[fd09:2::2]")),
        ("*", "any", Some("*")),
        ("*", "10.9.2.2", Some("*")),
        ("*", "fd09:2::2", Some("*")),
    ];
    for (list, host, entry) in cases {
        let said = machine(&[("HTTP_PROXY", "p:1"), ("NO_PROXY", list)]).of("http", host, 80);
        assert_eq!(said.exempt, entry.is_some(), "{list} {host}");
        let told = said.exception.expect("told");
        assert_eq!(entry.is_some_and(|entry| told.contains(&format!("`{entry}`"))), entry.is_some(), "{told}");
        assert_eq!(place(&Said { exception: None, ..said }), Some(("p", 1)), "{list} {host}");
    }
}

fn system(proxy: Option<&str>, exceptions: Option<&str>) -> SystemProxy {
    SystemProxy {
        name: "WinHTTP".to_owned(),
        proxy: proxy.map(str::to_owned),
        exceptions: exceptions.map(str::to_owned),
        ..SystemProxy::default()
    }
}

#[test]
fn the_systems_setting_is_asked_where_no_variable_names_a_proxy() {
    let user = SystemProxy { searches: true, ..system(None, None) };
    let list = system(Some("http=web:8080;https=secure:8443"), Some("<local>;*.corp.example;10.*"));
    let bare = Machine::new([], vec![user, list]);
    let said = bare.of("https", "mdm.example", 443);
    assert_eq!((place(&said), said.exempt), (Some(("secure", 8443)), false));
    assert_eq!(said.sources.len(), 2);
    assert!(said.sources[0].contains("automatic detection"), "{:?}", said.sources);
    for (host, exempt) in [("mdm", true), ("A.Corp.example", true), ("corp.example", false), ("10.1.2.3", true)] {
        assert_eq!(bare.of("http", host, 80).exempt, exempt, "{host}");
    }
    let set = Machine::new([("ALL_PROXY".to_owned(), "env:1".to_owned())], bare.system.clone());
    let said = set.of("http", "mdm", 80);
    assert_eq!((place(&said), said.exempt, said.sources.len()), (Some(("env", 1)), false, 3));
}

/// What a script says that sends everything over HTTPS to a proxy, and nothing else.
fn script(_: &SystemProxy, url: &str) -> Chosen {
    if url.starts_with("https:") { Chosen::Proxies("a/b;p1:3128;p2:8080".to_owned()) } else { Chosen::Direct }
}

#[test]
fn a_script_decides_before_the_list_of_its_setting_and_only_where_the_machine_is_asked() {
    let setting = SystemProxy { script: Some("http://u:hunter2@h/p.pac".to_owned()), ..system(Some("list:1"), None) };
    let machine = Machine::new([], vec![setting, system(Some("later:2"), None)]).running(Some(script));
    let said = machine.of("https", "mdm.example", 443);
    assert_eq!(place(&said), Some(("p1", 3128)));
    assert!(said.sources[0].contains("the script says: a/b;p1:3128;p2:8080"), "{:?}", said.sources);
    assert!(said.sources.len() == 2 && !said.sources[0].contains("hunter2"), "{:?}", said.sources);
    let direct = machine.of("http", "mdm.example", 80);
    assert_eq!((place(&direct), direct.sources.len()), (None, 2));
    assert!(direct.sources[0].contains("the script says: direct"), "{:?}", direct.sources);
    let beside = machine.beside("https", "mdm.example", 443);
    assert_eq!(place(&beside), Some(("list", 1)), "what another setting decides is not asked of a script");
}

#[test]
fn where_no_script_decides_the_list_does() {
    let searching = SystemProxy { searches: true, ..system(Some("list:1"), None) };
    let machine = Machine::new([], vec![searching]).running(Some(|_, _| Chosen::Unknown("none was found".to_owned())));
    let said = machine.of("http", "mdm.example", 80);
    assert_eq!(place(&said), Some(("list", 1)));
    assert!(said.sources[0].ends_with("automatic detection; no script decides: none was found"), "{:?}", said.sources);
}

#[test]
fn a_password_in_a_system_setting_is_not_shown() {
    assert!(!system::line(&system(Some("http=u:hunter2@p:1"), None)).contains("hunter2"));
}
