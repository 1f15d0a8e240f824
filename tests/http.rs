//! HTTP(S): our probe against nginx and hostile peers, our responder against curl and our probe.

mod against_hostile;
mod against_nginx;
mod responding;

use bothways::model::ask::Ask;
use bothways::model::evidence::{Failure, StepKind};
use bothways::model::probe::{Http, Probe};

use super::support::{Seen, ask};

fn http(port: u16, settings: Http) -> Ask {
    ask(Probe::Http(settings), port)
}

fn path(path: &str) -> Http {
    Http { path: Some(path.to_owned()), ..Http::default() }
}

fn failed_step(seen: &Seen) -> (StepKind, Option<Failure>) {
    let step = seen.evidence.stopped_at().expect("a failed step");
    (step.kind, step.error)
}
