//! What is looked for in every series: the box's own analyses, and one for each network of a hospital's own.

use std::sync::Arc;

use sidelight_models::Manifest;

use super::{Analysis, segmentation};
use crate::store::finding::{Finding, FindingKind};
use crate::store::records::FindingCard;

/// One analysis of the site.
#[derive(Clone, Debug)]
pub(super) struct Task {
    pub kind: FindingKind,
    /// Of a segmentation: what the network's bundle says.
    pub network: Option<Arc<Manifest>>,
}

impl Task {
    pub(super) fn network_name(&self) -> Option<&str> {
        self.network.as_ref().map(|manifest| manifest.name.as_str())
    }

    /// Whether a finding is this analysis' answer.
    pub(super) fn gave(&self, card: &FindingCard) -> bool {
        card.kind == self.kind && card.network.as_deref() == self.network_name()
    }
}

/// Whether two findings answer the same question about a series.
pub(super) fn alike(finding: &Finding, card: &FindingCard) -> bool {
    card.series == finding.series_uid && card.kind == finding.kind && card.network == finding.network
}

impl Analysis {
    /// What the box looks for by itself, in the order it is computed.
    pub(super) fn own_tasks(&self) -> Vec<Task> {
        let wanted = |kind: &FindingKind| match kind {
            FindingKind::Structures => self.config.structures,
            FindingKind::Segmentation => false,
            _ => true,
        };
        let own = FindingKind::ALL.into_iter().filter(wanted);
        own.map(|kind| Task { kind, network: None }).collect()
    }

    /// One for each network that labels structures; `None` while the bundles are verified.
    pub(super) fn network_tasks(&self) -> Option<Vec<Task>> {
        let fitting = self.inference.serving()?.into_iter().filter(|manifest| segmentation::fits(manifest));
        let task = |manifest| Task { kind: FindingKind::Segmentation, network: Some(manifest) };
        Some(fitting.map(task).collect())
    }
}
