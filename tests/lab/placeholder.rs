//! `$server`, `$router.far` and the like in a scenario's texts. Only computes.

use std::collections::BTreeMap;

use crate::topology::Plan;

/// What stands for what.
pub struct Placeholders<'a> {
    pub plan: &'a Plan,
    /// Names besides the machines'.
    pub named: BTreeMap<String, String>,
}

impl Placeholders<'_> {
    /// The same, with more names.
    #[must_use]
    pub fn with(&self, named: impl IntoIterator<Item = (String, String)>) -> Self {
        let mut all = self.named.clone();
        all.extend(named);
        Self { plan: self.plan, named: all }
    }

    /// Fills a text in. `$machine` is its IPv4 address, or its only one; `$machine6` its IPv6 address; `$machine.network`
    /// and `$machine6.network` those on one network; `$$` is `$`.
    ///
    /// # Errors
    /// A word after `$` that stands for nothing.
    pub fn fill(&self, text: &str) -> Result<String, String> {
        let mut out = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('$') {
            out.push_str(before);
            if let Some(after) = after.strip_prefix('$') {
                out.push('$');
                rest = after;
                continue;
            }
            let is_part = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
            let end = after.find(|c| !is_part(c)).unwrap_or(after.len());
            let (name, mut left) = after.split_at(end);
            let mut network = None;
            if let Some(tail) = left.strip_prefix('.').filter(|_| !self.named.contains_key(name)) {
                let end = tail.find(|c| !is_part(c)).unwrap_or(tail.len());
                if self.plan.networks().contains_key(&tail[..end]) {
                    (network, left) = (Some(&tail[..end]), &tail[end..]);
                }
            }
            out.push_str(
                &self.value(name, network).ok_or_else(|| format!("`${name}` in `{text}` stands for nothing"))?,
            );
            rest = left;
        }
        out.push_str(rest);
        Ok(out)
    }

    fn value(&self, name: &str, network: Option<&str>) -> Option<String> {
        if let Some(value) = self.named.get(name) {
            return Some(value.clone());
        }
        if let Ok(machine) = self.plan.machine(name) {
            let address = machine.address(network, false).or_else(|| machine.address(network, true))?;
            return Some(address.to_string());
        }
        let machine = self.plan.machine(name.strip_suffix('6')?).ok()?;
        Some(machine.address(network, true)?.to_string())
    }
}
