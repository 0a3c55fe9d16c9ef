//! A network's answer, asked for once: the same images, network and manifest give what was kept.
//!
//! What is kept is what the network said, before any reader. Which provider said it is kept with it; it is no part of
//! the key, for providers agree within a thousandth.

use serde::{Deserialize, Serialize};
use sidelight_models::{Manifest, Model};

use super::fingerprint::Fingerprint;
use super::marks::used;
use crate::store::Store;
use crate::store::cardiac::ModelUsed;
use crate::store::runs::{RunAnswer, RunInput};

/// Counts up when the same network's answer comes out differently: changed resampling, other bytes.
const ANSWERS_VERSION: &str = "1";

/// What a network said, and who said it when.
#[derive(Debug)]
pub(super) struct Answer<T> {
    pub said: T,
    pub model: ModelUsed,
    pub warning: Option<String>,
    pub answer: RunAnswer,
    pub input: RunInput,
}

/// As it is kept.
#[derive(Debug, Serialize, Deserialize)]
struct Kept<T> {
    provider: String,
    said: T,
}

/// The answer to `input`: a kept one, or what `ask` makes the network say.
pub(super) fn answer<T, E>(
    store: &Store,
    input: RunInput,
    model: &mut Model,
    ask: impl FnOnce(&mut Model) -> Result<T, E>,
) -> Result<Answer<T>, E>
where
    T: Serialize + for<'a> Deserialize<'a>,
{
    let key = key(&input, model.manifest());
    let kept = recall(store, &key, || {
        let said = ask(model)?;
        Ok(Kept { provider: model.provider().name().to_owned(), said })
    });
    let (kept, cached) = kept?;
    let model_used = ModelUsed { provider: kept.provider, from_cache: cached, ..used(model) };
    let warning = model.warning().filter(|_| !cached).map(str::to_owned);
    let answer = RunAnswer { key, cached };
    Ok(Answer { said: kept.said, model: model_used, warning, answer, input })
}

fn key(input: &RunInput, manifest: &Manifest) -> String {
    Fingerprint::of("answer")
        .text(ANSWERS_VERSION)
        .text(&input.sha256)
        .text(&manifest.network.sha256)
        .text(&manifest.sha256)
        .hexadecimal()
}

/// What lies under the key and whether it does; otherwise what `make` makes, kept for the next time.
fn recall<T, E>(
    store: &Store,
    key: &str,
    make: impl FnOnce() -> Result<Kept<T>, E>,
) -> Result<(Kept<T>, bool), E>
where
    T: Serialize + for<'a> Deserialize<'a>,
{
    if let Some(kept) = store.answer(key).and_then(|bytes| serde_json::from_slice(&bytes).ok()) {
        return Ok((kept, true));
    }
    let made = make()?;
    match serde_json::to_vec(&made) {
        Ok(bytes) => store.keep_answer(key, &bytes),
        Err(error) => tracing::warn!(%error, "an answer cannot be kept"),
    }
    Ok((made, false))
}

/// Labels as runs of one value and its length: what is kept of a plane is short.
pub(super) fn runs_of(labels: &[u8]) -> Vec<(u8, u32)> {
    let mut runs: Vec<(u8, u32)> = Vec::new();
    for label in labels {
        match runs.last_mut() {
            Some((value, length)) if value == label && *length < u32::MAX => *length += 1,
            _ => runs.push((*label, 1)),
        }
    }
    runs
}

/// The labels of runs, where they are as many as asked for.
pub(super) fn labels_of(runs: &[(u8, u32)], count: usize) -> Option<Vec<u8>> {
    let whole: u64 = runs.iter().map(|(_, length)| u64::from(*length)).sum();
    if whole != count as u64 {
        return None;
    }
    let mut labels = Vec::with_capacity(count);
    for (value, length) in runs {
        labels.resize(labels.len() + *length as usize, *value);
    }
    Some(labels)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn manifest(change: impl FnOnce(&mut Manifest)) -> Manifest {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let mut manifest = Manifest::read(&root.join("models/bundles/cardiac_seg/model.toml")).unwrap();
        change(&mut manifest);
        manifest
    }

    fn input(hash: &str) -> RunInput {
        RunInput { sha256: hash.into(), what: "x".into() }
    }

    /// Asks under a key and counts how often something had to be made.
    fn ask(store: &Store, key: &str, made: &mut u32) -> (Vec<(u8, u32)>, bool) {
        let (kept, cached) = recall(store, key, || {
            *made += 1;
            Ok::<_, ()>(Kept { provider: "cpu".into(), said: vec![(u8::try_from(*made).unwrap(), 7)] })
        })
        .unwrap();
        (kept.said, cached)
    }

    #[test]
    fn the_same_question_is_asked_once_and_every_other_one_again() {
        let folder = tempfile::tempdir().unwrap();
        let (store, _) = Store::open(folder.path()).unwrap();
        let mut made = 0;
        let same = || key(&input("a"), &manifest(|_| ()));
        assert_eq!(ask(&store, &same(), &mut made), (vec![(1, 7)], false));
        assert_eq!(ask(&store, &same(), &mut made), (vec![(1, 7)], true));
        assert_eq!(made, 1);
        for other in [
            key(&input("b"), &manifest(|_| ())),
            key(&input("a"), &manifest(|manifest| manifest.network.sha256 = "0".repeat(64))),
            key(&input("a"), &manifest(|manifest| manifest.sha256 = "0".repeat(64))),
        ] {
            let before = made;
            assert!(!ask(&store, &other, &mut made).1 && made == before + 1, "{other}");
        }
        // After a restart it is still known; once damaged it is not.
        drop(store);
        let (store, _) = Store::open(folder.path()).unwrap();
        assert!(ask(&store, &same(), &mut made).1);
        let path = folder.path().join("answers").join(same());
        let mut bytes = std::fs::read(&path).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        std::fs::write(&path, bytes).unwrap();
        let before = made;
        assert!(!ask(&store, &same(), &mut made).1 && made == before + 1);
        assert!(ask(&store, &same(), &mut made).1, "kept anew");
    }

    #[test]
    fn a_failure_is_never_kept() {
        let folder = tempfile::tempdir().unwrap();
        let (store, _) = Store::open(folder.path()).unwrap();
        let key = key(&input("a"), &manifest(|_| ()));
        let failed = recall::<u8, _>(&store, &key, || Err("no"));
        assert_eq!(failed.unwrap_err(), "no");
        assert_eq!(store.answer(&key), None);
    }

    #[test]
    fn labels_come_back_as_they_were() {
        let labels: Vec<u8> = (0..1000_u32).map(|at| u8::try_from(at / 37 % 3).unwrap()).collect();
        assert_eq!(labels_of(&runs_of(&labels), 1000).unwrap(), labels);
        assert_eq!(labels_of(&runs_of(&labels), 999), None);
        assert_eq!(labels_of(&[(1, u32::MAX), (2, u32::MAX)], 4), None);
        assert_eq!(labels_of(&runs_of(&[]), 0).unwrap(), Vec::<u8>::new());
    }
}
