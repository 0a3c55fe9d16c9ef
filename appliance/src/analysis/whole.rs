//! How an analysis of a whole volume begins, whoever looks at it.

use std::sync::Arc;

use sidelight_kernels::Volume;

use super::draft::does_not_apply;
use super::{Analysis, AnalysisError, blocking};
use crate::imaging::{Stack, volume};
use crate::store::finding::Finding;
use crate::store::runs::RunInput;

impl Analysis {
    /// The attempt counted, the work shown as running, the volume built and its hash on record. `None`: the finding says why
    /// it goes no further.
    pub(super) async fn begin(
        &mut self,
        finding: &mut Finding,
        stack: &Stack,
        doing: &str,
    ) -> Result<Option<(Arc<Volume>, RunInput)>, AnalysisError> {
        if !self.may_start(finding).await? {
            return Ok(None);
        }
        self.running(&finding.study_uid, doing, 0);
        let volume = match self.volume_of(finding, stack).await? {
            Ok(volume) => volume,
            Err(reason) => {
                does_not_apply(finding, reason);
                return Ok(None);
            }
        };
        let input = self.note_volume(&finding.series_uid, &volume).await?;
        Ok(Some((volume, input)))
    }

    /// The volume of a series, built once for all that look at it.
    async fn volume_of(
        &mut self,
        finding: &Finding,
        stack: &Stack,
    ) -> Result<Result<Arc<Volume>, String>, AnalysisError> {
        if let Some(volume) = self.kept(&finding.series_uid, finding.study_instances) {
            return Ok(Ok(volume));
        }
        let stack = stack.clone();
        let built = blocking(move || volume(&stack).map(Arc::new).map_err(|error| error.to_string())).await?;
        if let Ok(volume) = &built {
            self.keep(&finding.series_uid, finding.study_instances, volume);
        }
        Ok(built)
    }
}
