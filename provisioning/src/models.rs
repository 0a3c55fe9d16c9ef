//! Which networks may run here and on what: `[models]` of the site file.

use std::path::PathBuf;

use serde::Deserialize;

use crate::keeping::Destination;
use crate::site::Broker;

/// Without this section no network runs, and analyses that need one say so.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Models {
    /// Holds libonnxruntime.so and its providers. Relative paths start at the site file's folder.
    pub runtime_dir: PathBuf,
    /// Holds one folder a bundle.
    pub bundles_dir: PathBuf,
    /// What may run a network, in the order of trying.
    #[serde(default = "every_provider")]
    pub providers: Vec<ModelProvider>,
    /// Networks that were made to show the box, not for patients.
    #[serde(default)]
    pub allow_demonstration_models: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ModelProvider {
    TensorRt,
    Cuda,
    WebGpu,
    Cpu,
}

fn every_provider() -> Vec<ModelProvider> {
    vec![ModelProvider::TensorRt, ModelProvider::Cuda, ModelProvider::WebGpu, ModelProvider::Cpu]
}

impl Models {
    /// A demonstration must not reach a patient's file: neither an archive nor a fleet may listen.
    pub(crate) fn check(
        &self,
        destinations: &[Destination],
        broker: Option<&Broker>,
    ) -> Result<(), (&'static str, String)> {
        if self.providers.is_empty() {
            return Err(("models.providers", "name at least one of tensorrt, cuda, webgpu, cpu".into()));
        }
        if !self.allow_demonstration_models {
            return Ok(());
        }
        const KEY: &str = "models.allow_demonstration_models";
        if let Some(archive) = destinations.iter().find(|destination| destination.archive) {
            let name = &archive.name;
            return Err((
                KEY,
                format!("not on a site with an archive ({name}): results of a demonstration would stay"),
            ));
        }
        if broker.is_some_and(|broker| !broker.is_loopback()) {
            return Err((
                KEY,
                "not on a site whose broker is elsewhere: results of a demonstration would leave".into(),
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::lab::{NetworkFolders, Wishes, site_toml};
    use crate::site::Site;

    const ARCHIVE: &str = "[[destinations]]\nname = \"pacs\"\nkind = \"dicom\"\naddress = \"127.0.0.1:104\"\nae_title = \"PACS\"\narchive = true\n";

    fn lab() -> String {
        let networks = NetworkFolders { runtime: "/opt/onnxruntime".into(), bundles: "bundles".into() };
        site_toml(&Wishes { mqtt: None, processor: "auto".into(), networks: Some(networks) })
    }

    fn read(text: &str) -> Result<Site, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("site.toml");
        std::fs::write(&path, text).unwrap();
        Site::read(&path).map_err(|error| error.to_string())
    }

    #[test]
    fn the_lab_runs_demonstrations_on_whatever_is_there() {
        let models = read(&lab()).unwrap().models.unwrap();
        assert!(models.allow_demonstration_models && models.bundles_dir.is_absolute());
        assert_eq!(models.providers.len(), 4);
    }

    #[test]
    fn a_demonstration_never_stands_beside_an_archive() {
        let message = read(&(lab() + ARCHIVE)).unwrap_err();
        assert!(
            message.contains("models.allow_demonstration_models") && message.contains("pacs"),
            "{message}"
        );
        let without = lab().replace("allow_demonstration_models = true\n", "");
        assert_ne!(without, lab());
        assert!(!read(&(without + ARCHIVE)).unwrap().models.unwrap().allow_demonstration_models);
    }

    #[test]
    fn providers_nobody_knows_are_refused() {
        for (providers, word) in [("[\"tpu\"]", "tpu"), ("[]", "models.providers")] {
            let text = lab().replace("[models]\n", &format!("[models]\nproviders = {providers}\n"));
            assert!(read(&text).unwrap_err().contains(word));
        }
    }
}
