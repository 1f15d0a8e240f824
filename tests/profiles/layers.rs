//! Profiles that extend others: what joins, what is replaced, where relative paths start, and files on disk before built-in ones.

use std::fs;
use std::path::{Path, PathBuf};

use bothways::model::probe::Probe;
use bothways::model::secret::SecretSource;
use bothways::profile::catalog::Catalog;
use bothways::profile::load::{lint, load};
use bothways::profile::{Endpoint, Profile};
use tempfile::TempDir;

fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        fs::write(path, text).expect("a file");
    }
    folder
}

fn loaded(path: &Path, catalog: &Catalog) -> Profile {
    load(&path.to_string_lossy(), &[], catalog).unwrap_or_else(|problems| panic!("{problems}"))
}

fn endpoint<'a>(profile: &'a Profile, name: &str) -> &'a Endpoint {
    profile.endpoints.iter().find(|endpoint| endpoint.name == name).unwrap_or_else(|| panic!("no endpoint {name}"))
}

#[test]
fn maps_join_and_everything_else_is_replaced() {
    let base = "extends: miradore\ntitle: Base\nendpoints:\n  \
        server: { host: a, https: true, port: 8443, tls: { issuer: CA, name: x } }\n  \
        client: { hosts: [pc-1, pc-2], source: 10.0.0.1 }\n  \
        sql-server: { host: sql1, user: u, password: { env: A } }\n";
    let top = "extends: base.yaml\nendpoints:\n  \
        server: { host: b, port: null, tls: { name: y } }\n  \
        client: { host: pc-3 }\n  \
        sql-server: { password: { file: secret.txt } }\n  \
        installation-point:\n  \
        extra: { role: server, host: c }\n";
    let folder = folder(&[("base.yaml", base), ("top.yaml", top)]);
    let profile = loaded(&folder.path().join("top.yaml"), &Catalog::built_in());
    assert_eq!((profile.name.as_str(), profile.title.as_str()), ("top", "Base"));
    let server = endpoint(&profile, "server");
    assert_eq!((server.host.as_deref(), server.https, server.port("port")), (Some("b"), Some(true), None));
    assert_eq!((server.tls.issuer.as_deref(), server.tls.name.as_deref()), (Some("CA"), Some("y")));
    let client = endpoint(&profile, "client");
    assert_eq!(client.host.as_deref(), Some("pc-3"), "`host` puts the inherited `hosts` out of force");
    assert_eq!(client.source.map(|source| source.to_string()).as_deref(), Some("10.0.0.1"));
    let secret = folder.path().join("secret.txt").display().to_string();
    let account = endpoint(&profile, "sql-server").account.as_ref().expect("an account");
    assert_eq!((account.user.as_str(), &account.password), ("u", &SecretSource::File(secret)));
    assert_eq!(endpoint(&profile, "installation-point").host, None);
    assert_eq!(profile.endpoints.last().map(|endpoint| endpoint.name.as_str()), Some("extra"));
    assert_eq!(profile.endpoints[0].name, "client", "the built-in profile's come first");
}

#[test]
fn checks_are_selected_changed_left_out_and_added() {
    let base = "extends: miradore\nchecks:\n  job-query: { probe: { http: { path: /a } } }\n  inventory: off\n";
    let top = "extends: base.yaml\nchecks:\n  inventory: on\n  job-query: { remedy: Ask us. }\n  \
        wake-up-tcp: { probe: { websocket: { path: /b } }, port: 99 }\n";
    let list = "extends: top.yaml\nchecks: [wake-up-tcp, job-query]\n";
    let folder = folder(&[("base.yaml", base), ("top.yaml", top), ("list.yaml", list)]);
    let profile = loaded(&folder.path().join("base.yaml"), &Catalog::built_in());
    assert!(profile.checks.iter().all(|check| check.id != "inventory"));
    let profile = loaded(&folder.path().join("top.yaml"), &Catalog::built_in());
    assert_eq!(profile.checks.len(), 12);
    let job_query = &profile.checks[0];
    let Probe::Http(http) = &job_query.probe else { panic!("an HTTP probe") };
    assert_eq!((http.path.as_deref(), job_query.remedy.as_str()), (Some("/a"), "Ask us."));
    let wake_up = &profile.checks[3];
    assert!(matches!(&wake_up.probe, Probe::Websocket(_)), "another protocol replaces the probe");
    assert_eq!((wake_up.port.default, wake_up.port.setting.as_deref()), (Some(99), None));
    let profile = loaded(&folder.path().join("list.yaml"), &Catalog::built_in());
    let ids: Vec<&str> = profile.checks.iter().map(|check| check.id.as_str()).collect();
    assert_eq!(ids, ["wake-up-tcp", "job-query"]);
    assert_eq!(profile.checks[1].remedy, "Ask us.", "what was changed stays changed");
}

#[test]
fn a_check_that_is_left_out_finds_no_port() {
    let folder = folder(&[("a.yaml", "extends: miradore\nchecks: { sql-browser: off }\n")]);
    let profile = loaded(&folder.path().join("a.yaml"), &Catalog::built_in());
    let sql = profile.checks.iter().find(|check| check.id == "sql-database").expect("a check");
    assert_eq!((sql.port.found_by.as_deref(), sql.port.default), (None, Some(1433)));
}

#[test]
fn aliases_and_merge_keys_repeat_what_is_named() {
    let text = "extends: miradore\nendpoints:\n  \
        server: &s { host: a, https: true, port: 1 }\n  \
        server-2: { <<: *s, role: server, port: 2 }\n  \
        server-3: { role: server, port: 3, <<: [*s] }\n";
    let folder = folder(&[("a.yaml", text)]);
    let profile = loaded(&folder.path().join("a.yaml"), &Catalog::built_in());
    for (name, port) in [("server", 1), ("server-2", 2), ("server-3", 3)] {
        let server = endpoint(&profile, name);
        assert_eq!((server.host.as_deref(), server.https, server.port("port")), (Some("a"), Some(true), Some(port)));
    }
}

#[test]
fn ipv6_hosts_work_everywhere() {
    let text = "extends: miradore\nendpoints:\n  server: { host: 2001:db8::1 }\n  \
        client: { hosts: [\"2001:DB8::2\", \"[::1]:8443\"] }\n";
    let folder = folder(&[("a.yaml", text)]);
    let profile = loaded(&folder.path().join("a.yaml"), &Catalog::built_in());
    assert_eq!(endpoint(&profile, "server").host.as_deref(), Some("2001:db8::1"));
    assert_eq!(endpoint(&profile, "client/2001:DB8::2").host.as_deref(), Some("2001:db8::2"));
    let second = endpoint(&profile, "client/[::1]:8443");
    assert_eq!((second.host.as_deref(), second.port("port")), (Some("::1"), Some(8443)));
}

#[test]
fn a_folder_stands_before_what_is_built_in_and_may_extend_it() {
    let check = "title: T\ntask: t\nfrom: client\nto: server\ntransport: tcp\nport: 7\nprobe: { tcp: {} }\nremedy: R\nsource: S\n";
    let files = [
        ("profiles/miradore.yaml", "extends: miradore\ntitle: Ours\nchecks: { ours: on }\n"),
        ("checks/job-query.yaml", check),
        ("checks/ours.yaml", check),
    ];
    let folder = folder(&files);
    let catalog = Catalog::with_folder(Some(folder.path().to_owned()));
    let profile = load("miradore", &[], &catalog).unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!((profile.title.as_str(), profile.roles.len(), profile.checks.len()), ("Ours", 9, 13));
    assert_eq!(profile.checks[0].port.default, Some(7));
    assert!(
        catalog.check_names().contains(&"ours".to_owned()) && catalog.check_names().contains(&"inventory".to_owned())
    );
    assert_eq!(catalog.text("ours"), Some(("check".to_owned(), check.to_owned())));
    assert!(lint(&folder.path().join("checks/ours.yaml"), &catalog).is_empty());
}

#[test]
fn a_folder_that_is_none_is_told() {
    let catalog = Catalog::with_folder(Some(PathBuf::from("/nowhere/at/all")));
    let problems = load("miradore", &[], &catalog).expect_err("no folder").to_string();
    assert!(problems.contains("the catalog folder is not a folder"), "{problems}");
}

#[test]
fn a_chain_without_end_is_told() {
    let names: Vec<String> = (0..20).map(|n| format!("p{n}.yaml")).collect();
    let texts: Vec<String> = (1..=20).map(|n| format!("extends: p{n}.yaml\n")).collect();
    let files: Vec<(&str, &str)> = names.iter().map(String::as_str).zip(texts.iter().map(String::as_str)).collect();
    let folder = folder(&files);
    let problems = lint(&folder.path().join("p0.yaml"), &Catalog::built_in()).to_string();
    assert!(problems.contains("more than 16 profiles extend one another"), "{problems}");
}

#[test]
fn a_name_that_is_none_is_told_with_what_was_meant() {
    let problems = load("mirador", &[], &Catalog::built_in()).expect_err("no such profile");
    assert_eq!(problems.0[0].message, "there is no profile `mirador`; did you mean `miradore`?");
    for missing in ["mine.yaml", "./miradore", "/nowhere/x.yaml", ""] {
        assert!(load(missing, &[], &Catalog::built_in()).is_err(), "{missing}");
    }
}
