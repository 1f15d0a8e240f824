//! Tests of `profiles`.
use bothways::profile::catalog::Catalog;
#[test]
fn spike() {
    let catalog = Catalog::built_in();
    for name in catalog.profile_names() {
        match bothways::profile::load::load(&name, &[], &catalog) {
            Ok(p) => println!("{name} {:#?}", p.endpoints.len()),
            Err(e) => println!("{e}"),
        }
    }
    for name in catalog.check_names() {
        println!("{}", bothways::profile::load::lint(std::path::Path::new(&format!("checks/{name}.yaml")), &catalog));
    }
    use bothways::profile::schema::*;
    for (n, s) in [("profile", profile_schema()), ("check", check_schema()), ("run", run_schema())] {
        std::fs::write(format!("docs/schema/{n}.json"), serde_json::to_string_pretty(&s).unwrap() + "\n").unwrap();
    }
}
