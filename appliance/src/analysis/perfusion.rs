//! CT perfusion: whether it applies, the analysis on the processor, the finding in words and files.

use std::sync::Arc;

use sidelight_kernels::perfusion::{self as kernel, Dynamic, Perfusion, PerfusionError};

use super::applicability::{Applicability, perfusion as judge};
use super::draft::{does_not_apply, fail, name_processor};
use super::perfusion_part::{acquisition, parameters, part, warning};
use super::study::Images;
use super::{Analysis, AnalysisError, blocking, fingerprint};
use crate::compute::{Done, NoProcessor, Rank};
use crate::imaging::{TimeSource, TimedStack, dynamic};
use crate::store::StoreError;
use crate::store::finding::{Finding, Measurement};
use crate::store::perfusion::{PerfusionChoice, PerfusionPart, STATEMENT};
use crate::store::resident::Kept;

pub(super) const TITLE: &str = "CT perfusion";
pub(super) const LABEL: &str = "CT perfusion, automatic, unreviewed; validated on digital phantoms only; not for \
                                treatment selection";
pub(super) const CHOSEN_LABEL: &str = "CT perfusion with a reader's inlets or method, unreviewed; validated on \
                                       digital phantoms only; not for treatment selection";
pub(super) const RULE: &str = "The brain is found inside the skull, without CSF and large vessels; the artery and the \
                               vein are found by the height, time and shape of their curves. Fails where much of the \
                               skull is outside the scan or the bolus is weak.";

impl Analysis {
    /// Analyses a series where that applies; every way it ends is written into the finding.
    pub(super) async fn perfusion(
        &mut self,
        finding: &mut Finding,
        images: &Images,
        choice: PerfusionChoice,
    ) -> Result<(), AnalysisError> {
        let timed = match judge(&images.facts, &images.stack, &images.timed) {
            Applicability::Yes(timed) => timed,
            Applicability::No(reason) => {
                does_not_apply(finding, reason);
                return Ok(());
            }
        };
        if !self.may_start(finding).await? {
            return Ok(());
        }
        let dynamic = match self.read_dynamic(finding, timed.clone()).await? {
            Ok(dynamic) => dynamic,
            Err(reason) => {
                does_not_apply(finding, reason);
                return Ok(());
            }
        };
        self.stage("hashing images");
        let looked_at = dynamic.clone();
        self.notes.looked_at(blocking(move || fingerprint::of_dynamic(&looked_at)).await?);
        self.stage("computing perfusion");
        let Done { answer, by } = match self.analyse(finding, &dynamic, choice).await {
            Ok(done) => done,
            Err(error) => {
                fail(finding, error.to_string());
                return Ok(());
            }
        };
        match answer {
            Ok(perfusion) => self.keep_perfusion(finding, &timed, dynamic, perfusion, choice).await?,
            Err(error @ (PerfusionError::Processor(_) | PerfusionError::Cancelled)) => {
                fail(finding, error.to_string());
            }
            // What the images are, not what the box did.
            Err(error) => does_not_apply(finding, error.to_string()),
        }
        name_processor(finding, &by);
        Ok(())
    }

    /// Puts a finding's series into memory again, so that curves can be asked of it: a restart forgot it.
    pub(super) async fn revive(&mut self, finding: &Finding, images: &Images) -> Result<(), AnalysisError> {
        let (Ok(timed), Some(part)) = (&images.timed, &finding.perfusion) else { return Ok(()) };
        let choice = part.choice;
        let Ok(dynamic) = self.read_dynamic(finding, timed.clone()).await? else { return Ok(()) };
        if let Ok(Done { answer: Ok(perfusion), .. }) = self.analyse(finding, &dynamic, choice).await {
            self.store.live().resident().put(Kept::new(&finding.id, dynamic, perfusion));
        }
        Ok(())
    }

    async fn read_dynamic(
        &mut self,
        finding: &Finding,
        timed: TimedStack,
    ) -> Result<Result<Arc<Dynamic>, String>, AnalysisError> {
        // Two series of this size at once may be more than the box has.
        self.store.live().resident().clear();
        self.volume = None;
        self.running(&finding.study_uid, "reading images", 0);
        blocking(move || dynamic(&timed).map(Arc::new).map_err(|error| error.to_string())).await
    }

    async fn analyse(
        &self,
        finding: &Finding,
        dynamic: &Arc<Dynamic>,
        choice: PerfusionChoice,
    ) -> Result<Done<Result<Perfusion, PerfusionError>>, NoProcessor> {
        let (store, study, stop) = (self.store.clone(), finding.study_uid.clone(), self.stop.clone());
        let (dynamic, parameters) = (dynamic.clone(), parameters(&choice, dynamic.dimensions()));
        let analysed = self.compute.run(Rank::Urgent, move |processor, turns| {
            let told = super::checkpoint(&store, &study, &stop, ("computing perfusion", 10));
            kernel::analyse(processor, &dynamic, &parameters, &mut turns.shared(told))
        });
        analysed.await
    }

    /// Files the maps, writes the numbers, keeps the series for questions about its curves.
    async fn keep_perfusion(
        &self,
        finding: &mut Finding,
        timed: &TimedStack,
        dynamic: Arc<Dynamic>,
        perfusion: Perfusion,
        choice: PerfusionChoice,
    ) -> Result<(), AnalysisError> {
        self.running(&finding.study_uid, "filing maps", 99);
        let (store, draft, acquisition) = (self.store.clone(), finding.clone(), acquisition(timed));
        let filed = move || {
            let part = part(&store, &draft, &dynamic, &perfusion, acquisition, choice)?;
            Ok::<_, StoreError>((part, Kept::new(&draft.id, dynamic, perfusion)))
        };
        let (part, kept) = blocking(filed).await??;
        self.store.live().resident().put(kept);
        fill(finding, timed.clock, part);
        Ok(())
    }
}

fn fill(finding: &mut Finding, clock: TimeSource, part: PerfusionPart) {
    finding.warnings = vec![warning("phantoms_only", STATEMENT)];
    finding.warnings.extend(part.guards.iter().cloned());
    if !part.guards.is_empty() {
        let text = "core, hypoperfusion and mismatch are withheld for the reasons named here";
        finding.warnings.push(warning("withheld", text));
    }
    if clock != TimeSource::Acquired {
        let text =
            format!("the images do not say when they were taken; times come from {}", part.acquisition.clock);
        finding.warnings.push(warning("clock", text));
    }
    if !part.motion.rejected.is_empty() {
        let (left_out, all) = (part.motion.rejected.len(), part.motion.passes);
        let text = format!("{left_out} of {all} time points were left out because the head moved");
        finding.warnings.push(warning("motion_rejected", text));
    }
    let measurement =
        |name: &str, value, unit: &str| Measurement { name: name.into(), value, unit: unit.into() };
    if let Some(volumes) = &part.volumes {
        finding.measurements = vec![
            measurement("Core volume", volumes.core_ml, "mL"),
            measurement("Hypoperfused volume", volumes.hypoperfused_ml, "mL"),
            measurement("Mismatch volume", volumes.mismatch_ml, "mL"),
        ];
        finding.measurements.extend(volumes.ratio.map(|ratio| measurement("Mismatch ratio", ratio, "1")));
    }
    finding.perfusion = Some(part);
}
