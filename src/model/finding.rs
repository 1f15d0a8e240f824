//! What the evidence means: status, confidence, the sentence, and who can do what about it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::code::Code;

/// The result of one check, of a task, or of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    Pass,
    Warn,
    Fail,
    Unknown,
    Skip,
    Error,
}

impl Status {
    pub const ALL: [Status; 6] = [Self::Pass, Self::Warn, Self::Fail, Self::Unknown, Self::Skip, Self::Error];

    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Warn => "warn",
            Self::Fail => "fail",
            Self::Unknown => "unknown",
            Self::Skip => "skip",
            Self::Error => "error",
        }
    }

    /// How much this weighs when several are summed up: the heaviest one is the sum.
    #[must_use]
    pub fn weight(self) -> u8 {
        match self {
            Self::Skip => 0,
            Self::Pass => 1,
            Self::Warn => 2,
            Self::Unknown => 3,
            Self::Error => 4,
            Self::Fail => 5,
        }
    }
}

impl std::fmt::Display for Status {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.word())
    }
}

/// How far the evidence carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Confidence {
    /// The evidence leaves this as one of several explanations.
    Possible,
    /// The evidence speaks for it; alternatives are rare.
    Likely,
    /// The evidence excludes the alternatives.
    Proven,
}

/// Which half of a failed conversation was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Lost {
    Request,
    Reply,
}

/// Who can apply a remedy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Who {
    /// The team that owns firewalls, proxies and routes.
    Network,
    /// Whoever administers the host that is connected to.
    TargetHost,
    /// Whoever administers this machine.
    ThisHost,
    /// The product's administrator.
    Product,
    /// Whoever wrote the profile.
    Profile,
    /// Whoever runs name resolution.
    Names,
}

/// What to do about a finding, and who can.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Remedy {
    pub who: Who,
    pub text: String,
}

/// What a judge says of one conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement {
    pub status: Status,
    pub code: Code,
    pub lost: Option<Lost>,
    pub confidence: Confidence,
    pub sentence: String,
    pub remedy: Option<Remedy>,
}

impl Judgement {
    /// It works; the sentence says what proves it.
    #[must_use]
    pub fn pass(sentence: impl Into<String>) -> Self {
        Self::new(Status::Pass, Code::Ok, Confidence::Proven, sentence)
    }

    #[must_use]
    pub fn warn(code: Code, confidence: Confidence, sentence: impl Into<String>) -> Self {
        Self::new(Status::Warn, code, confidence, sentence)
    }

    #[must_use]
    pub fn fail(code: Code, confidence: Confidence, sentence: impl Into<String>) -> Self {
        Self::new(Status::Fail, code, confidence, sentence)
    }

    /// Nothing was proved; the sentence says what would decide it.
    #[must_use]
    pub fn unknown(code: Code, sentence: impl Into<String>) -> Self {
        Self::new(Status::Unknown, code, Confidence::Possible, sentence)
    }

    #[must_use]
    pub fn skip(code: Code, sentence: impl Into<String>) -> Self {
        Self::new(Status::Skip, code, Confidence::Proven, sentence)
    }

    #[must_use]
    pub fn error(sentence: impl Into<String>) -> Self {
        Self::new(Status::Error, Code::ToolError, Confidence::Proven, sentence)
    }

    #[must_use]
    pub fn new(status: Status, code: Code, confidence: Confidence, sentence: impl Into<String>) -> Self {
        Self { status, code, lost: None, confidence, sentence: sentence.into(), remedy: None }
    }

    #[must_use]
    pub fn remedy(mut self, who: Who, text: impl Into<String>) -> Self {
        self.remedy = Some(Remedy { who, text: text.into() });
        self
    }

    #[must_use]
    pub fn lost(mut self, half: Lost) -> Self {
        self.lost = Some(half);
        self
    }
}
