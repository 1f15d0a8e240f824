//! What a plan asks, of whom, and why it leaves the rest.

use bothways::model::ask::{ProxyAuth, ProxyOrigin, Route};
use bothways::model::code::Code;
use bothways::model::flow::Role;
use bothways::model::probe::Probe;
use bothways::plan::proxies::Machine;
use bothways::plan::{self, Impossible, Plan, PlannedProbe, Surroundings, Untested};

use super::{miradore, plan_behind, plan_of, set, written};

fn probe<'p>(plan: &'p Plan, check: &str) -> &'p PlannedProbe {
    plan.probes.iter().find(|probe| probe.flow.check == check).unwrap_or_else(|| panic!("{check} is not asked"))
}

fn untested<'p>(plan: &'p Plan, check: &str) -> &'p Untested {
    plan.untested.iter().find(|one| one.flow.check == check).unwrap_or_else(|| panic!("{check} is asked"))
}

#[test]
fn flows_to_a_role_without_a_host_say_how_to_name_it() {
    let plan = plan_of(&miradore(&[]), &["client"], &[]);
    assert!(plan.probes.is_empty());
    let told = untested(&plan, "job-query");
    assert_eq!((told.code, told.host.as_deref()), (Code::NotTestableFromHere, None));
    assert!(told.sentence.contains("--set server.host=NAME"), "{}", told.sentence);
    assert_eq!(untested(&plan, "wake-up-tcp").code, Code::NotTestableFromHere);
}

#[test]
fn flows_that_another_side_opens_are_for_that_side() {
    let profile = miradore(&[set("server.host", "a.example"), set("client.host", "b.example")]);
    let plan = plan_of(&profile, &["client"], &[]);
    let told = untested(&plan, "wake-up-tcp");
    assert_eq!((told.code, told.port), (Code::NotTestableFromHere, Some(32227)));
    assert!(told.sentence.contains("Opened by the server") && told.sentence.contains("`--side server`"));
    assert_eq!(probe(&plan, "job-query").tested_from, Role::new("client"));
    let both = plan_of(&profile, &["client", "server"], &[]);
    assert_eq!(probe(&both, "wake-up-tcp").ask.target(), "b.example:32227");
}

#[test]
fn flows_that_the_profile_has_no_use_for_are_fine_as_they_are() {
    let profile = miradore(&[set("installation-point.host", "files.example")]);
    let plan = plan_of(&profile, &["client", "installation-point"], &[]);
    assert_eq!(untested(&plan, "installation-http").code, Code::Ok);
    let alone = untested(&plan, "installation-replication");
    assert_eq!(alone.code, Code::Ok);
    assert!(alone.sentence.contains("--set NAME.parent=installation-point"), "{}", alone.sentence);
    assert_eq!(probe(&plan, "installation-share").ask.target(), "files.example:445");
}

#[test]
fn every_endpoint_of_a_role_is_asked_with_its_own_settings() {
    let profile = written(
        "extends: miradore\n\
         endpoints:\n  \
           server: { host: one.example, https: true }\n  \
           second: { role: server, host: two.example, port: 8080 }\n  \
           client: { hosts: [pc-1.example, 'pc-2.example:32300'] }\n",
    );
    let plan = plan_of(&profile, &["client", "server"], &["job-query", "wake-up-tcp"]);
    let targets: Vec<String> = plan.probes.iter().map(|probe| probe.ask.target()).collect();
    assert_eq!(targets, ["one.example:443", "two.example:8080", "pc-1.example:32227", "pc-2.example:32300"]);
    let https: Vec<Option<bool>> = plan.probes[..2]
        .iter()
        .map(|probe| if let Probe::Http(http) = &probe.ask.probe { http.https } else { None })
        .collect();
    assert_eq!(https, [Some(true), None]);
    assert_eq!(plan.probes[1].flow.remedy, "Allow TCP 8080 from client to server (two.example).");
    let mut tokens: Vec<&str> = plan.probes.iter().map(|probe| probe.ask.token.as_str()).collect();
    tokens.sort_unstable();
    tokens.dedup();
    assert_eq!(tokens.len(), plan.probes.len(), "no two probes carry the same token");
}

#[test]
fn sql_browser_is_asked_only_for_a_named_instance_without_a_port() {
    let host = set("sql-server.host", "sql.example");
    let instance = set("sql-server.instance", "MIRADORE");
    let of = |sets: &[String]| plan_of(&miradore(sets), &["server"], &["sql-database", "sql-browser"]);

    let named = of(&[host.clone(), instance.clone()]);
    let finder = probe(&named, "sql-database").port_found_by.expect("the browser finds the port");
    assert_eq!(named.probes[finder].flow.check, "sql-browser");
    assert_eq!(named.probes[finder].ask.port, 1434);

    for sets in [vec![host.clone()], vec![host, instance, set("sql-server.port", 1500)]] {
        let plan = of(&sets);
        assert_eq!(untested(&plan, "sql-browser").code, Code::Ok);
        let database = probe(&plan, "sql-database");
        assert_eq!(database.port_found_by, None);
        assert_eq!(database.ask.port, if sets.len() == 1 { 1433 } else { 1500 });
    }
}

#[test]
fn a_port_that_is_found_takes_its_place_in_question_and_rule() {
    let sets = [set("sql-server.host", "sql.example"), set("sql-server.instance", "MIRADORE")];
    let plan = plan_of(&miradore(&sets), &["server"], &["sql-database"]);
    let mut database = probe(&plan, "sql-database").clone();
    assert_eq!(database.flow.remedy, "Allow TCP 1433 from server to sql-server (sql.example).");
    database.take_port(49_731);
    assert_eq!(database.ask.target(), "sql.example:49731");
    assert_eq!(database.flow.remedy, "Allow TCP 49731 from server to sql-server (sql.example).");
}

#[test]
fn the_environments_proxy_is_taken_where_the_profile_says_so() {
    let profile = written(
        "extends: miradore\n\
         endpoints:\n  \
           server: { host: secure.example, https: true, port: 8443, proxy: system, proxy-auth: basic,\n            \
                     proxy-user: me, proxy-password: { env: PROXY_PASSWORD } }\n  \
           other: { role: server, host: plain.example, proxy: system }\n  \
           unasked: { role: server, host: secure.example, https: true, port: 8443 }\n  \
           sql-server: { host: secure.example, port: 8443 }\n",
    );
    let plan = plan_behind(
        &profile,
        &["client", "server"],
        &["job-query", "sql-database"],
        &[("HTTPS_PROXY", "http://proxy.example:3128")],
    );
    let [first, other, unasked, database] = plan.probes.as_slice() else { panic!("{:#?}", plan.probes) };
    let Route::Proxy(proxy) = &first.ask.route else { panic!("{:?}", first.ask.route) };
    assert_eq!((proxy.host.as_str(), proxy.port, proxy.auth), ("proxy.example", 3128, ProxyAuth::Basic));
    assert_eq!((proxy.origin, proxy.account.is_some()), (ProxyOrigin::Environment, true));
    assert_eq!(first.ask.first_hop(), ("proxy.example", 3128));
    for direct in [other, unasked, database] {
        assert_eq!(direct.ask.route, Route::Direct, "{}", direct.flow.endpoint);
    }
}

#[test]
fn every_proxy_setting_is_listed_with_the_one_that_decided_and_the_other_way() {
    let profile = written(
        "extends: miradore\n\
         endpoints:\n  \
           server: { host: srv.corp.example, proxy: system }\n  \
           away: { role: server, host: srv.example, proxy: system }\n  \
           own: { role: server, host: srv.example, proxy: 'http://own.example:8080' }\n  \
           none: { role: server, host: srv.example }\n",
    );
    let variables = [("HTTP_PROXY", "http://me:hunter2@env.example:3128"), ("NO_PROXY", "localhost,.corp.example")];
    let plan = plan_behind(&profile, &["client"], &["job-query"], &variables);
    let [exempt, away, own, none] = plan.probes.as_slice() else { panic!("{:#?}", plan.probes) };
    let place = |route: &Route| match route {
        Route::Direct => "direct".to_owned(),
        Route::Proxy(proxy) => proxy.host.clone(),
    };
    let ways: Vec<(String, Option<String>)> =
        plan.probes.iter().map(|probe| (place(&probe.ask.route), probe.choice.other.as_ref().map(place))).collect();
    let expected =
        [("direct", "env.example"), ("env.example", "direct"), ("own.example", "direct"), ("direct", "env.example")];
    assert_eq!(ways, expected.map(|(way, other)| (way.to_owned(), Some(other.to_owned()))));
    let decided = [exempt, away, own, none].map(|probe| probe.choice.decided.expect("decided"));
    let (around, profile) = (ProxyOrigin::Environment, ProxyOrigin::Profile);
    assert_eq!(decided, [around, around, profile, profile]);
    assert!(exempt.choice.exception.as_ref().is_some_and(|told| told.contains("`.corp.example`")), "{exempt:?}");
    assert_eq!(own.choice.sources.len(), 3, "{:?}", own.choice.sources);
    assert!(own.choice.sources[0].contains("own.example:8080") && own.choice.sources[1].contains("env.example:3128"));
    assert!(!format!("{plan:?}").contains("hunter2"));
}

#[test]
fn what_the_profile_does_not_have_is_told_with_what_it_has() {
    let profile = miradore(&[]);
    let make = |sides: &[&str], only: &[&str]| {
        let sides: Vec<Role> = sides.iter().map(|side| Role::new(*side)).collect();
        let only: Vec<String> = only.iter().map(|id| (*id).to_owned()).collect();
        plan::make(&profile, &sides, &only, &Surroundings { proxies: &Machine::default(), word: None }).map(|_| ())
    };
    let Err(Impossible::NoSide(openers)) = make(&[], &[]) else { panic!("a side is needed") };
    assert!(openers.contains(&Role::new("client")) && !openers.contains(&Role::new("sql-server")), "{openers:?}");
    let Err(Impossible::UnknownSide(_, roles)) = make(&["clinet"], &[]) else { panic!("no such role") };
    assert!(roles.contains(&Role::new("sql-server")));
    let Err(Impossible::UnknownCheck(id, checks)) = make(&["client"], &["job-quer"]) else { panic!("no such check") };
    assert!(id == "job-quer" && checks.iter().any(|check| check == "job-query"));
}
