//! From a volume and a region to a calcium finding: what the images say against a score, the score, what it weighs.

use std::sync::Arc;

use sidelight_kernels::calcium::{self as kernel, CalciumError, Score};
use sidelight_kernels::heart::vessels::Atlas;
use sidelight_kernels::heart::{Excluded, Exclusion, exclusions};
use sidelight_kernels::{Geometry, Region, Volume};
use sidelight_provisioning::calcium::Calcium as CalciumSite;

use super::applicability::CalciumPlan;
use super::draft::{does_not_apply, fail, name_processor};
use super::{Analysis, AnalysisError, blocking, guards, mass};
use crate::compute::{Done, NoProcessor, Rank};
use crate::store::calcium::{Calcium, Count, MassCalibration, Scoring, Vessel, recount};
use crate::store::finding::{Finding, Lesion, Warning};
use crate::store::lesions::listed;

/// A finding holds the outline of every lesion; this many runs are some 10 MB.
const RUNS_MAX: usize = 400_000;

/// What the voxels of the region said before they were scored.
#[derive(Debug)]
struct Looked {
    warnings: Vec<Warning>,
    mass: MassCalibration,
    /// Only the heart's surroundings have courses of vessels in them.
    atlas: Option<Atlas>,
    /// Bone and calibration rods, which a drawn region may hold; the automatic one leaves them out.
    excluded: Vec<Exclusion>,
}

impl Analysis {
    /// Scores inside a region and writes the outcome, whatever it is, into the finding. `whole`: the region is the
    /// heart's surroundings, so a category means something.
    pub(super) async fn score(
        &mut self,
        finding: &mut Finding,
        volume: Arc<Volume>,
        region: Region,
        plan: &CalciumPlan,
        whole: bool,
    ) -> Result<(), AnalysisError> {
        self.note_volume(&finding.series_uid, &volume).await?;
        self.stage("looking for what stands against a score");
        let region = Arc::new(region);
        let looked = {
            let (volume, region, plan, site) =
                (volume.clone(), region.clone(), plan.clone(), self.config.calcium.clone());
            blocking(move || look(&volume, &region, &plan, &site, whole)).await?
        };
        let looked = match looked {
            Ok(looked) => looked,
            Err(reason) => {
                does_not_apply(finding, reason);
                return Ok(());
            }
        };
        self.stage("scoring calcium");
        let Done { answer, by } = match self.run_kernel(finding, &volume, region, plan).await {
            Ok(done) => done,
            Err(error) => {
                fail(finding, error.to_string());
                return Ok(());
            }
        };
        match answer {
            Ok(score) => fill(finding, &score, plan, looked, &volume, whole),
            Err(error) => fail(finding, error.to_string()),
        }
        name_processor(finding, &by);
        Ok(())
    }

    async fn run_kernel(
        &self,
        finding: &Finding,
        volume: &Arc<Volume>,
        region: Arc<Region>,
        plan: &CalciumPlan,
    ) -> Result<Done<Result<Score, CalciumError>>, NoProcessor> {
        let (store, study, stop) = (self.store.clone(), finding.study_uid.clone(), self.stop.clone());
        let (protocol, volume) = (plan.thresholds.protocol, volume.clone());
        let scored = self.compute.run(Rank::Ordinary, move |processor, turns| {
            let told = super::checkpoint(&store, &study, &stop, ("scoring calcium", 30));
            kernel::score(processor, &volume, &region, &protocol, &mut turns.shared(told))
        });
        scored.await
    }
}

fn look(
    volume: &Volume,
    region: &Region,
    plan: &CalciumPlan,
    site: &CalciumSite,
    whole: bool,
) -> Result<Looked, String> {
    let warnings = guards::look(volume, region, plan.thresholds.protocol.threshold_hu, whole)?;
    let width_mm = mass::chest_width_mm(volume, region);
    let atlas = if whole { Atlas::new(region, volume.geometry()) } else { None };
    // Images too coarse or too few to look for bone in have none that is known.
    let excluded = if whole { Vec::new() } else { exclusions(volume).unwrap_or_default() };
    Ok(Looked { warnings, mass: mass::calibration(&plan.ct, plan.kvp, site, width_mm), atlas, excluded })
}

fn fill(
    finding: &mut Finding,
    score: &Score,
    plan: &CalciumPlan,
    looked: Looked,
    volume: &Volume,
    whole: bool,
) {
    let listed = listed(score, RUNS_MAX);
    finding.lesions = listed.lesions;
    finding.lesions_truncated = listed.unlisted.lesions > 0;
    finding.warnings = [plan.warnings.clone(), looked.warnings].concat();
    finding.warnings.extend(guards::cut_off(finding, volume.dimensions().slices));
    let spoilt = finding.warnings.iter().any(guards::forbids_category);
    let calcium = Calcium {
        scoring: scoring(plan, volume.geometry()),
        mass: looked.mass,
        vessels: Vec::new(),
        unassigned: 0,
        cac_drs: None,
        categorised: whole && plan.category && !spoilt,
        unlisted: listed.unlisted,
    };
    for lesion in &mut finding.lesions {
        lesion.mass_mg = calcium.worth(Count::of(lesion)).mass_mg;
        if let Some(proposal) = looked.atlas.as_ref().map(|atlas| atlas.propose(lesion.center_px)) {
            lesion.proposed = Some(proposal.vessel.into());
            lesion.proposed_or = proposal.or.into_iter().map(Into::into).collect();
        }
    }
    finding
        .warnings
        .extend(looked.excluded.iter().filter_map(|kind| propose_other(&mut finding.lesions, kind)));
    finding.calcium = Some(calcium);
    recount(finding);
}

/// What a reader's region holds of bone or rods is proposed as no vessel's, and said; what counts stays the reader's word.
fn propose_other(lesions: &mut [Lesion], exclusion: &Exclusion) -> Option<Warning> {
    let (code, what) = match exclusion.what {
        Excluded::Bone => ("bone", "bone"),
        Excluded::CalibrationRod => ("calibration_rod", "a calibration rod"),
    };
    let mut numbers = Vec::new();
    for lesion in lesions.iter_mut().filter(|lesion| lies_in(lesion, &exclusion.region)) {
        lesion.proposed = Some(Vessel::Other);
        numbers.push(lesion.number.to_string());
    }
    let listed = numbers.join(", ");
    (!numbers.is_empty()).then(|| {
        let text = format!("lesion {listed} looks like {what}: say `other` of it, and it counts in no score");
        Warning { code: code.into(), text }
    })
}

/// The voxel nearest to the lesion's centre.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a lesion's centre is in the volume"
)]
fn lies_in(lesion: &Lesion, region: &Region) -> bool {
    let [column, row, slice] = lesion.center_px.map(|at| at.round() as u32);
    region.contains(column, row, slice)
}

fn scoring(plan: &CalciumPlan, geometry: &Geometry) -> Scoring {
    Scoring {
        kvp: plan.kvp,
        starts_hu: plan.thresholds.protocol.weight_starts_hu,
        pixel_area_mm2: geometry.pixel_area_mm2(),
        slice_increment_mm: geometry.slice_increment_mm,
        method: plan.thresholds.method.clone(),
        label: plan.thresholds.label.clone(),
    }
}

#[cfg(test)]
mod tests {
    use sidelight_kernels::Dimensions;

    use super::*;

    fn lesion(number: u32, center_px: [f64; 3]) -> Lesion {
        Lesion { number, center_px, ..Lesion::default() }
    }

    #[test]
    fn lesions_in_bone_are_proposed_as_no_vessels_and_named_and_the_others_are_left_alone() {
        let size = Dimensions { columns: 64, rows: 64, slices: 4 };
        let region = Region::circle(size, [20.0, 20.0], 6.0, 0..=3);
        let bone = Exclusion { what: Excluded::Bone, pieces: 1, region };
        let mut lesions = [lesion(1, [21.4, 19.6, 2.0]), lesion(2, [50.0, 50.0, 2.0])];
        let warning = propose_other(&mut lesions, &bone).expect("one lies in bone");
        assert_eq!(warning.code, "bone");
        assert!(warning.text.starts_with("lesion 1 looks like bone"), "{}", warning.text);
        assert_eq!(lesions.map(|lesion| lesion.proposed), [Some(Vessel::Other), None]);
        assert_eq!(propose_other(&mut [lesion(3, [50.0, 50.0, 2.0])], &bone), None);
    }
}
