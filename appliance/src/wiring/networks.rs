//! What a site file says about networks, as the thread that runs them wants it.

use std::num::NonZero;

use anyhow::Context as _;
use sidelight_models::Provider;
use sidelight_provisioning::Site;
use sidelight_provisioning::models::ModelProvider;

pub use crate::inference::Config;

/// More threads than this give one inference nothing: its operations are too small to share.
const THREADS_MAX: usize = 8;

/// `None` where the site runs no networks.
pub fn config(site: &Site) -> anyhow::Result<Option<Config>> {
    let Some(models) = &site.models else { return Ok(None) };
    let providers = models.providers.iter().map(|provider| match provider {
        ModelProvider::TensorRt => Provider::TensorRt,
        ModelProvider::Cuda => Provider::Cuda,
        ModelProvider::WebGpu => Provider::WebGpu,
        ModelProvider::Cpu => Provider::Cpu,
    });
    Ok(Some(Config {
        runtime_dir: models.runtime_dir.clone(),
        bundles_dir: models.bundles_dir.clone(),
        graphs_dir: Some(site.data_dir.join("graphs")),
        providers: providers.collect(),
        allow_demonstrations: models.allow_demonstration_models,
        threads: threads(),
        program: std::env::current_exe().context("where this program lies")?,
    }))
}

/// For the CPU provider.
pub fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, NonZero::get).min(THREADS_MAX)
}
