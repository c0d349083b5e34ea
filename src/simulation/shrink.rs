//! Finds what a failing story can do without.

use std::collections::BTreeSet;

use super::{Plan, simulate};

impl Plan {
    /// The same with only these of its incidents, by their numbers.
    pub fn only(&self, kept: &BTreeSet<usize>) -> Self {
        let incidents = self.incidents.iter().filter(|incident| kept.contains(&incident.number)).cloned().collect();
        Self { incidents, ..self.clone() }
    }
}

/// The numbers of incidents without any of which the story does not fail any more. All of them, where it does not fail.
///
/// # Errors
/// Where no runtime can be made.
pub fn shrink(plan: &Plan) -> std::io::Result<BTreeSet<usize>> {
    let mut kept: BTreeSet<usize> = plan.incidents.iter().map(|incident| incident.number).collect();
    if simulate(plan, false)?.breaches.is_empty() {
        return Ok(kept);
    }
    loop {
        let before = kept.len();
        // The last ones first: they have the least to do with what happened before.
        for number in kept.clone().into_iter().rev() {
            let mut fewer = kept.clone();
            fewer.remove(&number);
            if !simulate(&plan.only(&fewer), false)?.breaches.is_empty() {
                kept = fewer;
            }
        }
        if kept.len() == before {
            return Ok(kept);
        }
    }
}
