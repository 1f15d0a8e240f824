//! What the same upgrade over the other scheme says of one that failed.

use super::refused::use_https;
use crate::diagnose::judge::Case;
use crate::model::fact::Fact;
use crate::model::finding::Judgement;
pub(super) use crate::model::look::OtherScheme as Other;

impl Other {
    /// What was found, where it was looked for.
    pub(super) fn of(case: &Case) -> Option<Self> {
        serde_json::from_value(case.evidence.fact(Fact::OtherScheme)?.clone()).ok()
    }
}

/// The judgement with a remark where the other scheme works.
pub(super) fn remark(judgement: Judgement, case: &Case) -> Judgement {
    let Some(other) = Other::of(case).filter(|other| other.works) else {
        return judgement;
    };
    let (scheme, trusted) = match (other.https, other.trusted) {
        (true, true) => ("Over HTTPS", ""),
        (true, false) => ("Over HTTPS", ", with a certificate that is not trusted here"),
        (false, _) => ("In plain HTTP", ""),
    };
    let sentence = format!("{} {scheme} on port {} the same upgrade works{trusted}.", judgement.sentence, other.port);
    let mut remedy = judgement.remedy.clone();
    if let Some(remedy) = remedy.as_mut().filter(|_| other.https) {
        remedy.text = format!("{} Or: {}", use_https(case), remedy.text);
    }
    Judgement { sentence, remedy, ..judgement }
}
