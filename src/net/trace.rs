//! Records what happens, step by step, and survives the future that was recording.
//!
//! The runner owns the trace. When a deadline drops a probe, the step it was in is still open here; [`Trace::finish`]
//! closes it as timed out, so that *where* it hung stays known.

use std::future::Future;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use super::Stopped;
use super::count::Counter;
use super::failure;
use crate::model::evidence::{Evidence, Failure, Icmp, Millis, Step, StepKind};
use crate::model::fact::Fact;
use crate::sys::Delivery;

/// A shared recorder of steps and facts.
#[derive(Debug, Clone)]
pub struct Trace {
    inner: Arc<Mutex<Inner>>,
    started: Instant,
}

#[derive(Debug, Default)]
struct Inner {
    steps: Vec<Entry>,
    evidence: Evidence,
    counters: Vec<Arc<Counter>>,
    closed: bool,
}

#[derive(Debug, Clone)]
struct Entry {
    step: Step,
    begun: Instant,
    open: bool,
    /// What the step has failed with if it is cut; the cutter's word where it says nothing.
    if_cut: Option<Failure>,
}

/// A step that has begun. Dropped without an end, it stays open until [`Trace::finish`].
#[derive(Debug)]
#[must_use = "a step that is not ended counts as hanging"]
pub struct OpenStep {
    trace: Trace,
    index: usize,
}

impl Trace {
    /// A new trace whose steps count their time from `started`, the start of the run.
    #[must_use]
    pub fn new(started: Instant) -> Self {
        Self { inner: Arc::default(), started }
    }

    /// An empty trace with the same start of time.
    #[must_use]
    pub fn fork(&self) -> Self {
        Self::new(self.started)
    }

    /// Begins a step; `address` is who is spoken to.
    pub fn begin(&self, kind: StepKind, address: Option<String>) -> OpenStep {
        let now = Instant::now();
        let step = Step {
            kind,
            at_ms: u64::try_from((now - self.started).as_millis()).unwrap_or(u64::MAX),
            took_ms: Millis(0),
            address,
            error: None,
            os_code: None,
            icmp: None,
            note: None,
        };
        let index = self.with(|inner| {
            inner.steps.push(Entry { step, begun: now, open: !inner.closed, if_cut: None });
            inner.steps.len() - 1
        });
        OpenStep { trace: self.clone(), index }
    }

    /// Runs one I/O operation as one step.
    ///
    /// # Errors
    /// [`Stopped`] where the operation failed; the step holds the reason.
    pub async fn step<T>(
        &self,
        kind: StepKind,
        address: Option<String>,
        operation: impl Future<Output = io::Result<T>>,
    ) -> Result<T, Stopped> {
        let step = self.begin(kind, address);
        match operation.await {
            Ok(value) => {
                step.pass();
                Ok(value)
            }
            Err(error) => Err(step.fail_io(&error)),
        }
    }

    /// Publishes a fact; a later value replaces an earlier one.
    pub fn fact(&self, fact: Fact, value: impl Into<serde_json::Value>) {
        let value = value.into();
        self.with(|inner| inner.evidence.facts.insert(fact.word().to_owned(), value));
    }

    /// Takes a fact back.
    pub fn withdraw(&self, fact: Fact) {
        self.with(|inner| inner.evidence.facts.remove(fact.word()));
    }

    /// Counts the bytes of a connection into the facts when the trace is finished.
    pub(super) fn count(&self, counter: Arc<Counter>) {
        self.with(|inner| inner.counters.push(counter));
    }

    /// Notes what moves on the connections while nothing is recorded.
    pub fn notice(&self) {
        self.with(|inner| inner.counters.iter().for_each(|counter| counter.notice()));
    }

    /// What would be known if the recording were cut now.
    #[must_use]
    pub fn so_far(&self, cut: Failure) -> Evidence {
        let copy = self.fork();
        copy.adopt(self);
        copy.finish(cut)
    }

    /// Ends the recording: steps still open are closed with `cut`. Later recordings are ignored.
    #[must_use]
    pub fn finish(&self, cut: Failure) -> Evidence {
        self.with(|inner| {
            inner.closed = true;
            for entry in inner.steps.iter_mut().filter(|entry| entry.open) {
                entry.open = false;
                entry.step.took_ms = Millis::from_duration(entry.begun.elapsed());
                entry.step.error = Some(entry.if_cut.unwrap_or(cut));
            }
            let mut evidence = Evidence {
                steps: inner.steps.iter().map(|entry| entry.step.clone()).collect(),
                facts: inner.evidence.facts.clone(),
            };
            inner.tell_bytes(&mut evidence);
            evidence
        })
    }

    /// Adds the steps of another, finished recording.
    pub fn absorb(&self, evidence: &Evidence) {
        let begun = Instant::now();
        self.with(|inner| {
            let entries =
                evidence.steps.iter().map(|step| Entry { step: step.clone(), begun, open: false, if_cut: None });
            inner.steps.extend(entries);
        });
    }

    /// Adds the steps, facts and byte counts of another recording that went on at the same time; its facts win.
    pub fn adopt(&self, other: &Trace) {
        let (steps, facts, counters) =
            other.with(|inner| (inner.steps.clone(), inner.evidence.facts.clone(), inner.counters.clone()));
        self.with(|inner| {
            let open = !inner.closed;
            inner.steps.extend(steps.into_iter().map(|entry| Entry { open: entry.open && open, ..entry }));
            inner.evidence.facts.extend(facts);
            inner.counters.extend(counters);
        });
    }

    fn with<T>(&self, work: impl FnOnce(&mut Inner) -> T) -> T {
        work(&mut self.inner.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Inner {
    /// Sums up what passed on all connections; of a conversation that failed, also how far it came.
    fn tell_bytes(&self, evidence: &mut Evidence) {
        if self.counters.is_empty() {
            return;
        }
        let mut tell = |fact: Fact, value: u64| evidence.facts.insert(fact.word().to_owned(), value.into());
        let sent = self.counters.iter().map(|counter| counter.sent()).sum::<u64>();
        tell(Fact::SentBytes, sent);
        tell(Fact::ReceivedBytes, self.counters.iter().map(|counter| counter.received()).sum());
        let deliveries: Option<Vec<Delivery>> = self.counters.iter().map(|counter| counter.delivery()).collect();
        let repeated = deliveries.iter().flatten().map(|one| one.repeated).sum();
        if repeated > 0 {
            tell(Fact::SegmentRepeats, repeated);
        }
        if self.steps.iter().all(|entry| entry.step.error.is_none()) {
            return;
        }
        if let Some(quiet) = self.counters.iter().filter_map(|counter| counter.quiet()).min() {
            tell(Fact::QuietMs, u64::try_from(quiet.as_millis()).unwrap_or(u64::MAX));
        }
        let Some(deliveries) = deliveries else { return };
        tell(Fact::Unacknowledged, sent.saturating_sub(deliveries.iter().map(|one| one.acknowledged).sum()));
        tell(Fact::Segment, deliveries.iter().map(|one| one.segment).max().unwrap_or_default());
    }
}

impl OpenStep {
    /// What the step has failed with, should it be cut from here on: the outcome is known, and only a second look is awaited.
    pub fn if_cut(&self, failure: Failure) {
        self.trace.with(|inner| {
            if let Some(entry) = inner.steps.get_mut(self.index) {
                entry.if_cut = Some(failure);
            }
        });
    }

    /// The step went well.
    pub fn pass(self) {
        self.end(|_| ());
    }

    /// The step went well; `note` is one short line for people.
    pub fn pass_with(self, note: impl Into<String>) {
        self.end(|step| step.note = Some(note.into()));
    }

    /// The step failed, and the conversation with it: what goes on in another way ends its step as gone well, with a note.
    pub fn fail(self, failure: Failure) -> Stopped {
        self.end(|step| step.error = Some(failure));
        Stopped
    }

    /// The step failed; `note` is one short line for people.
    pub fn fail_with(self, failure: Failure, note: impl Into<String>) -> Stopped {
        self.end(|step| {
            step.error = Some(failure);
            step.note = Some(note.into());
        });
        Stopped
    }

    /// The step failed with an operating-system error.
    pub fn fail_io(self, error: &io::Error) -> Stopped {
        self.fail_icmp(error, None)
    }

    /// The step failed with an operating-system error, behind which an ICMP message may stand.
    pub fn fail_icmp(self, error: &io::Error, icmp: Option<Icmp>) -> Stopped {
        let (failure, os_code) = failure::of_io(error);
        self.end(|step| {
            step.error = Some(failure);
            step.os_code = os_code;
            step.icmp = icmp;
        });
        Stopped
    }

    fn end(self, change: impl FnOnce(&mut Step)) {
        self.trace.with(|inner| {
            let Some(entry) = inner.steps.get_mut(self.index).filter(|entry| entry.open) else { return };
            entry.open = false;
            entry.step.took_ms = Millis::from_duration(entry.begun.elapsed());
            change(&mut entry.step);
        });
    }
}
