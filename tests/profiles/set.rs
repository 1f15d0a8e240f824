//! `--set`: single values from the command line.

use std::fmt::Write as _;

use bothways::model::probe::Probe;
use bothways::model::secret::SecretSource;
use bothways::model::span::Span;
use bothways::profile::catalog::Catalog;
use bothways::profile::load::load;
use bothways::profile::problem::Problems;
use bothways::profile::{Endpoint, Profile};

fn with(sets: &[&str]) -> Result<Profile, Problems> {
    let sets: Vec<String> = sets.iter().map(|set| (*set).to_owned()).collect();
    load("miradore", &sets, &Catalog::built_in())
}

fn loaded(sets: &[&str]) -> Profile {
    with(sets).unwrap_or_else(|problems| panic!("{problems}"))
}

fn endpoint<'a>(profile: &'a Profile, name: &str) -> &'a Endpoint {
    profile.endpoints.iter().find(|endpoint| endpoint.name == name).unwrap_or_else(|| panic!("no endpoint {name}"))
}

#[test]
fn values_of_every_kind_are_set() {
    let fingerprint = "ab".repeat(32);
    let profile = loaded(&[
        "server.host=mdm.example.com",
        "server.https=true",
        "server.port=8443",
        &format!("server.tls.fingerprint={fingerprint}"),
        r"server.proxy-user=DOM\user",
        "server.proxy-auth=ntlm",
        "server.proxy=http://proxy:3128",
        "server.proxy-password.env=PROXY",
        "client.hosts=[pc-1, \"pc-2:32300\"]",
        "sql-server.password={ env: SQL }",
        "sql-server.user=sa",
        "sql-server.instance=2019",
        "sql-server.host=2001:db8::1",
        "patch-source.tls.issuer=CN=Example: CA # 1",
    ]);
    let server = endpoint(&profile, "server");
    assert_eq!(
        (server.host.as_deref(), server.https, server.port("port")),
        (Some("mdm.example.com"), Some(true), Some(8443))
    );
    assert_eq!(server.tls.fingerprint.as_deref(), Some(fingerprint.as_str()));
    let account = server.proxy_account.as_ref().expect("an account");
    assert_eq!((account.domain.as_deref(), &account.password), (Some("DOM"), &SecretSource::Env("PROXY".to_owned())));
    assert_eq!(endpoint(&profile, "client/pc-2:32300").port("port"), Some(32300));
    assert_eq!(endpoint(&profile, "patch-source").tls.issuer.as_deref(), Some("CN=Example: CA # 1"));
    let sql = endpoint(&profile, "sql-server");
    assert_eq!((sql.instance.as_deref(), sql.host.as_deref()), (Some("2019"), Some("2001:db8::1")));
    assert_eq!(sql.account.as_ref().map(|account| &account.password), Some(&SecretSource::Env("SQL".to_owned())));
}

#[test]
fn the_later_one_wins_and_an_empty_one_takes_away() {
    let profile = loaded(&["server.port=1", "server.port=2", "server.share=x", "server.share="]);
    assert_eq!(
        (endpoint(&profile, "server").port("port"), endpoint(&profile, "server").share.as_deref()),
        (Some(2), None)
    );
}

#[test]
fn checks_and_settings_are_set_by_name() {
    let profile = loaded(&[
        "job-query.probe.http.path=/x",
        "settings.timeout=9s",
        "settings.name-servers=[10.0.0.1]",
        "wake-up-tcp.port.default=5",
    ]);
    let Probe::Http(http) = &profile.checks[0].probe else { panic!("an HTTP probe") };
    assert_eq!((http.path.as_deref(), profile.settings.timeout), (Some("/x"), Span::seconds(9)));
    assert_eq!(profile.settings.name_servers.len(), 1);
    assert_eq!(profile.checks[3].port.default, Some(5));
}

#[test]
fn a_new_endpoint_needs_a_role() {
    let profile = loaded(&["server-2.role=server", "server-2.host=b"]);
    assert_eq!(endpoint(&profile, "server-2").role, "server");
}

#[test]
fn mistakes_are_told_with_the_text_that_was_given() {
    let sets = [
        "sever.host=a",
        "server.hsot=a",
        "server.port=http",
        "server.host=a:443",
        "sql-server.password=hunter2",
        "server",
        "server=a",
        "server..host=a",
        "client.hosts=[pc-1",
        "client.hosts=pc-1",
        "job-query.probe.htpp.path=/",
        "settings.timeout=soon",
        "wakeup-tcp.port=1",
        "server-2.host=b",
        "",
        "=",
        "server.role=nobody",
    ];
    let mut told = String::new();
    for set in sets {
        writeln!(told, "{}\n", with(&[set]).expect_err(set)).expect("a text");
    }
    assert!(!told.contains("hunter2"), "{told}");
    insta::with_settings!({
        snapshot_path => "../snapshots/profiles", prepend_module_to_snapshot => false, omit_expression => true
    }, { insta::assert_snapshot!("set", told) });
}

#[test]
fn all_mistakes_are_told_at_once() {
    let problems = with(&["sever.host=a", "server.hsot=a", "server.host=a b"]).expect_err("three mistakes");
    assert_eq!(problems.0.len(), 3, "{problems}");
}
