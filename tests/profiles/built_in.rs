//! What is built in: every file is right by itself, by its schema and in its meaning.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use bothways::model::ask::{ProxyAuth, TlsExpectation};
use bothways::model::flow::{Carries, Role, Transport};
use bothways::model::probe::{Probe, Protocol};
use bothways::model::secret::SecretSource;
use bothways::model::span::Span;
use bothways::profile::catalog::Catalog;
use bothways::profile::load::{lint, lint_text, load};
use bothways::profile::schema::{check_schema, profile_schema, run_schema};
use bothways::profile::{Check, EndpointKind, Priority, Profile, ProxySetting};

fn built_in(name: &str) -> Profile {
    load(name, &[], &Catalog::built_in()).unwrap_or_else(|problems| panic!("{problems}"))
}

fn check<'a>(profile: &'a Profile, id: &str) -> &'a Check {
    profile.checks.iter().find(|check| check.id == id).unwrap_or_else(|| panic!("no check {id}"))
}

fn yaml_files(folder: &str) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("a folder");
    let stems = entries.map(|entry| entry.expect("an entry").path());
    stems.map(|path| path.file_stem().expect("a stem").to_string_lossy().into_owned()).collect()
}

#[test]
fn every_built_in_file_lints_clean() {
    let catalog = Catalog::built_in();
    for folder in ["checks", "profiles"] {
        for name in yaml_files(folder) {
            let problems = lint(Path::new(&format!("{folder}/{name}.yaml")), &catalog);
            assert!(problems.is_empty(), "{problems}");
        }
    }
}

#[test]
fn every_built_in_file_names_its_schema_for_editors() {
    for (folder, schema) in [("checks", "check"), ("profiles", "profile")] {
        for name in yaml_files(folder) {
            let text = fs::read_to_string(format!("{folder}/{name}.yaml")).expect("a file");
            let line = format!("# yaml-language-server: $schema=../docs/schema/{schema}.json");
            assert_eq!(text.lines().next(), Some(line.as_str()), "{name}");
        }
    }
}

#[test]
fn what_is_embedded_is_what_is_in_the_folders() {
    let catalog = Catalog::built_in();
    let sorted = |names: Vec<String>| names.into_iter().collect::<BTreeSet<_>>();
    assert_eq!(sorted(catalog.check_names()), sorted(yaml_files("checks")));
    assert_eq!(sorted(catalog.profile_names()), sorted(yaml_files("profiles")));
    for name in catalog.profile_names() {
        let (kind, text) = catalog.text(&name).expect("a text");
        assert_eq!(
            (kind.as_str(), text),
            ("profile", fs::read_to_string(format!("profiles/{name}.yaml")).expect("a file"))
        );
    }
    assert_eq!(catalog.text("sql-browser").expect("a check").0, "check");
    assert_eq!(catalog.text("../Cargo"), None);
}

#[test]
fn the_published_schemas_are_those_of_the_code() {
    for (name, schema) in [("profile", profile_schema()), ("check", check_schema()), ("run", run_schema())] {
        let path = format!("docs/schema/{name}.json");
        let published = fs::read_to_string(&path).unwrap_or_default().replace("\r\n", "\n");
        let current = serde_json::to_string_pretty(&schema).expect("JSON") + "\n";
        assert!(published == current, "{path} is out of date; renew it with: bothways schema {name} > {path}");
    }
}

#[test]
fn every_built_in_file_fits_the_published_schema() {
    for (folder, schema) in [("checks", check_schema()), ("profiles", profile_schema())] {
        let validator = jsonschema::draft202012::new(&schema).expect("a schema");
        for name in yaml_files(folder) {
            let text = fs::read_to_string(format!("{folder}/{name}.yaml")).expect("a file");
            let value: serde_json::Value = serde_saphyr::from_str(&text).expect("YAML, as another reader reads it");
            let errors: Vec<String> = validator.iter_errors(&value).map(|error| error.to_string()).collect();
            assert!(errors.is_empty(), "{name}: {errors:?}");
        }
    }
}

#[test]
fn miradore_knows_every_documented_flow() {
    let profile = built_in("miradore");
    let flows: Vec<_> = profile
        .checks
        .iter()
        .map(|check| {
            let Check { id, from, to, transport, port, .. } = check;
            (id.as_str(), from.as_str(), to.as_str(), transport.name(), port.default, check.probe.protocol().word())
        })
        .collect();
    assert_eq!(
        flows,
        [
            ("job-query", "client", "server", "TCP", None, "http"),
            ("inventory", "client", "server", "TCP", None, "http"),
            ("wake-up-websocket", "client", "server", "TCP", None, "websocket"),
            ("wake-up-tcp", "server", "client", "TCP", Some(32227), "tcp"),
            ("sql-database", "server", "sql-server", "TCP", Some(1433), "sql"),
            ("sql-browser", "server", "sql-server", "UDP", Some(1434), "sql-browser"),
            ("installation-share", "client", "installation-point", "TCP", Some(445), "smb"),
            ("installation-http", "client", "installation-point", "TCP", None, "http"),
            ("installation-replication", "installation-point", "installation-point", "TCP", Some(445), "smb"),
            ("network-boot", "client", "boot-server", "UDP", Some(69), "tftp"),
            ("deployment-share", "deployment-tool", "deployment-target", "TCP", Some(445), "smb"),
            ("patch-sources", "media-master", "patch-source", "TCP", None, "http"),
        ]
    );
    assert!(profile.endpoints.iter().all(|endpoint| endpoint.host.is_none()));
    let endpoints: Vec<&str> = profile.endpoints.iter().map(|endpoint| endpoint.name.as_str()).collect();
    let roles: Vec<&str> = profile.roles.iter().map(|role| role.role.as_str()).collect();
    assert_eq!(endpoints, roles, "each role has its endpoint");
    assert_eq!((profile.settings.timeout, profile.settings.deadline), (Span::seconds(5), Span::seconds(30)));
}

#[test]
fn the_wake_up_is_opened_by_the_client_first_and_by_the_server_second() {
    let profile = built_in("miradore");
    let (first, second) = (check(&profile, "wake-up-websocket"), check(&profile, "wake-up-tcp"));
    assert_eq!((first.rank, &first.from, first.carries), (1, &Role::new("client"), Some(Carries::ServerToClient)));
    assert_eq!((second.rank, &second.from, second.task.as_str()), (2, &Role::new("server"), first.task.as_str()));
    let Probe::Tcp(tcp) = &second.probe else { panic!("a TCP probe") };
    assert_eq!((tcp.send.as_ref(), tcp.expect.as_ref()), (None, None), "nothing is sent to a client");
}

#[test]
fn the_browser_is_asked_only_for_an_instance_without_a_port() {
    let applies = |sets: &[&str]| {
        let sets: Vec<String> = sets.iter().map(|set| (*set).to_owned()).collect();
        let profile = load("miradore", &sets, &Catalog::built_in()).unwrap_or_else(|problems| panic!("{problems}"));
        let sql = profile.endpoints.iter().find(|endpoint| endpoint.name == "sql-server").expect("an endpoint");
        check(&profile, "sql-browser").when.holds(sql)
    };
    assert!(!applies(&["sql-server.host=sql1"]));
    assert!(applies(&["sql-server.instance=MIRADORE"]));
    assert!(!applies(&["sql-server.instance=MIRADORE", "sql-server.port=1433"]));
}

#[test]
fn documented_sizes_are_those_of_the_page() {
    let profile = built_in("miradore");
    let sizes: Vec<_> = profile.checks.iter().flat_map(|check| &check.traffic).collect();
    let sizes: Vec<_> = sizes.iter().map(|size| (size.http, size.https, size.http_proxy, size.https_proxy)).collect();
    assert_eq!(
        sizes,
        [(3411, 6378, 7596, 9178), (13820, 19391, 22535, 25548), (1_076_260, 1_087_660, 1_114_036, 1_121_978)]
    );
}

#[test]
fn loopback_plays_every_role_on_this_machine() {
    let profile = built_in("loopback");
    assert!(profile.endpoints.iter().all(|endpoint| endpoint.host.as_deref() == Some("127.0.0.1")));
    for role in &profile.roles {
        assert!(profile.endpoints.iter().any(|endpoint| endpoint.role == role.role.as_str()), "{role:?}");
    }
    let find = |name: &str| profile.endpoints.iter().find(|endpoint| endpoint.name == name).expect("an endpoint");
    assert_eq!((find("server").https, find("server-http").https), (Some(true), Some(false)));
    assert_eq!(find("server-http").priority, Some(Priority::Secondary));
    assert_eq!(find("installation-point").parent_of, ["installation-point-2"]);
    let replication = check(&profile, "installation-replication");
    assert!(replication.when.holds(find("installation-point")));
    assert!(!replication.when.holds(find("installation-point-2")));
    assert_eq!(check(&profile, "network-boot").transport, Transport::Udp);
}

#[test]
fn the_branch_office_reads_as_its_comments_say() {
    let profile = built_in("example-branch-office");
    let find = |name: &str| profile.endpoints.iter().find(|endpoint| endpoint.name == name).expect("an endpoint");
    let server = find("server");
    assert_eq!(server.proxy, ProxySetting::At { host: "proxy.tampere.example.com".to_owned(), port: 3128 });
    assert_eq!(server.proxy_auth, ProxyAuth::Ntlm);
    let account = server.proxy_account.as_ref().expect("an account");
    assert_eq!((account.user.as_str(), account.domain.as_deref()), ("svc-proxy", Some("EXAMPLE")));
    assert_eq!(account.password, SecretSource::Env("PROXY_PASSWORD".to_owned()));
    let issuer = Some("Example Corporation Issuing CA".to_owned());
    assert_eq!(server.tls, TlsExpectation { issuer, ..TlsExpectation::default() });
    assert_eq!(find("client/pc-103.example.com:32300").port("port"), Some(32300));
    assert_eq!(find("client/pc-101.example.com").role, "client");
    assert_eq!(find("head-office").parent_of, ["installation-point"]);
    assert!(profile.checks.iter().all(|check| check.id != "patch-sources"));
    let wake_up = check(&profile, "wake-up-websocket");
    let Probe::Websocket(websocket) = &wake_up.probe else { panic!("a WebSocket probe") };
    assert_eq!((websocket.hold, websocket.path.as_deref()), (Some(Span::seconds(60)), Some("/")));
    assert_eq!((wake_up.timeout, profile.settings.deadline), (Some(Span::seconds(65)), Span::seconds(70)));
}

#[test]
fn another_product_needs_no_code() {
    let profile = built_in("example-other-product");
    let ids: Vec<_> = profile.checks.iter().map(|check| (check.id.as_str(), check.probe.protocol())).collect();
    assert_eq!(ids, [("results", Protocol::Http), ("registration", Protocol::Tcp)]);
    assert_eq!(profile.endpoints[1].ports, [("agent-port".to_owned(), 6556)]);
    assert_eq!(profile.endpoints[1].value("agent-port").as_deref(), Some("6556"));
}

#[test]
fn a_host_that_offers_files_over_http_speaks_tls_unless_it_says_otherwise() {
    let https = |sets: &[&str]| {
        let sets: Vec<String> = sets.iter().map(|set| format!("installation-point.{set}")).collect();
        let profile = load("miradore", &sets, &Catalog::built_in()).unwrap_or_else(|problems| panic!("{problems}"));
        let point =
            profile.endpoints.iter().find(|endpoint| endpoint.name == "installation-point").expect("an endpoint");
        assert_eq!(check(&profile, "installation-http").when.holds(point), point.kind == Some(EndpointKind::Http));
        assert_eq!(check(&profile, "installation-share").when.holds(point), point.kind != Some(EndpointKind::Http));
        point.https
    };
    assert_eq!(https(&["kind=http"]), Some(true));
    assert_eq!(https(&["kind=http", "https=false"]), Some(false));
    assert_eq!(https(&["host=files"]), None);
}

#[test]
fn every_example_in_the_documentation_is_right() {
    let text = fs::read_to_string("docs/profiles.md").expect("the documentation");
    let examples: Vec<&str> = text.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert!(examples.len() >= 3, "{} examples", examples.len());
    for example in examples {
        let problems = lint_text("example.yaml", example.as_bytes(), &Catalog::built_in());
        assert!(problems.is_empty(), "{problems}\n{example}");
    }
}

#[test]
fn the_documentation_names_every_key() {
    let text = fs::read_to_string("docs/profiles.md").expect("the documentation");
    for (schema, pointers) in [
        (profile_schema(), vec!["", "/$defs/EndpointFile", "/$defs/SettingsFile"]),
        (
            check_schema(),
            vec!["", "/$defs/PortSource", "/$defs/WhenFile", "/$defs/Http", "/$defs/Websocket", "/$defs/Tftp"],
        ),
    ] {
        for pointer in pointers {
            let keys = schema.pointer(&format!("{pointer}/properties")).and_then(serde_json::Value::as_object);
            for key in keys.expect("an object's schema").keys().filter(|key| *key != "tls") {
                assert!(text.contains(&format!("`{key}`")), "{pointer} {key}");
            }
        }
    }
}
