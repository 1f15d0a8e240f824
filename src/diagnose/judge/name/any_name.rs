//! Name servers that give an address of the name to any other name too, also to one that nobody has: a portal, or a filter, in
//! whose place nobody else can be reached by name.

use super::list;
use crate::model::ask::Ask;
use crate::model::code::Code;
use crate::model::evidence::Evidence;
use crate::model::fact::Fact;
use crate::model::finding::{Confidence, Judgement, Who};
use crate::model::probe::{Http, Probe};

/// A page in plain HTTP from there that nothing in it proves to be the target's. Other protocols prove who answers, or at least
/// that it is no portal.
pub(super) fn judge(ask: &Ask, names: &Evidence, seen: Option<&Evidence>) -> Option<Judgement> {
    let given = list(names, Fact::GivenToAnyName)?.join(", ");
    let Probe::Http(Http { https, .. }) = &ask.probe else { return None };
    let proven = seen.is_some_and(|seen| seen.holds(Fact::Echoed) || seen.holds(Fact::BodyMatches));
    if *https == Some(true) || ask.proxy().is_some() || proven {
        return None;
    }
    let host = &ask.host;
    let page = seen.and_then(|seen| seen.number(Fact::Status)).map_or(String::new(), |status| format!(" ({status})"));
    let sentence = format!(
        "{given} answers for {host} with a page{page}, but the name servers give this address to any name, also to one that nobody \
         has: it is the page of a portal or filter, unless that is what the name servers are meant to say."
    );
    let remedy = format!(
        "Log in to the portal, or have {host} exempted from the DNS filter. If the address is right, let the check prove it: by \
         HTTPS, or by `contains`, a text that only the service's own page has."
    );
    Some(Judgement::fail(Code::HttpRedirected, Confidence::Likely, sentence).remedy(Who::Names, remedy))
}

pub(super) fn remark(names: &Evidence) -> Option<String> {
    let given = list(names, Fact::GivenToAnyName)?.join(", ");
    Some(format!(
        " Besides, the name servers give {given} to any name, also to one that nobody has: a portal, or a DNS filter, answers in \
         their place."
    ))
}
