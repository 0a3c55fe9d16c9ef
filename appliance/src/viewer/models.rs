//! Which networks serve on this box, on what, and which were refused.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::Desk;
use crate::inference::{Inference, InferenceInfo};

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Models {
    /// `ready`, `starting` or `none`.
    pub state: &'static str,
    /// Why there are none.
    pub reason: Option<String>,
    /// Version of ONNX Runtime.
    pub runtime: Option<String>,
    pub allow_demonstration_models: bool,
    /// In the order of trying.
    pub providers: Vec<ProviderShape>,
    pub serving: Vec<ModelShape>,
    pub refused: Vec<RefusedBundle>,
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ProviderShape {
    pub name: &'static str,
    pub usable: bool,
    /// The device it found, or what it lacks.
    pub reason: String,
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ModelShape {
    pub name: String,
    pub version: String,
    pub sha256: String,
    /// What runs it.
    pub provider: &'static str,
    pub demonstration: bool,
    /// The sentence that stands beside every result of it.
    pub statement: String,
    pub memory_bytes: u64,
    pub warning: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RefusedBundle {
    pub folder: String,
    pub reason: String,
}

/// The networks of this box.
#[utoipa::path(get, path = "/api/models", responses((status = 200, body = Models)))]
pub(super) async fn models(State(desk): State<Arc<Desk>>) -> Json<Models> {
    Json(shape(&desk.inference))
}

fn shape(inference: &Inference) -> Models {
    let none = |state, reason| Models {
        state,
        reason,
        runtime: None,
        allow_demonstration_models: false,
        providers: Vec::new(),
        serving: Vec::new(),
        refused: Vec::new(),
    };
    match inference.info() {
        None => none("starting", Some("the bundles are being verified".into())),
        Some(Err(error)) => none("none", Some(error.to_string())),
        Some(Ok(info)) => ready(info),
    }
}

fn ready(info: InferenceInfo) -> Models {
    let providers = info.providers.into_iter().map(|state| ProviderShape {
        name: state.provider.name(),
        usable: state.usable,
        reason: state.reason,
    });
    let serving = info.serving.into_iter().map(|model| ModelShape {
        name: model.name,
        version: model.version,
        sha256: model.digest,
        provider: model.provider,
        demonstration: model.demonstration,
        statement: model.statement,
        memory_bytes: model.memory_bytes,
        warning: model.warning,
    });
    let refused = info.refused.into_iter().map(|(folder, reason)| RefusedBundle { folder, reason });
    Models {
        state: "ready",
        reason: None,
        runtime: Some(info.runtime_version),
        allow_demonstration_models: info.allow_demonstrations,
        providers: providers.collect(),
        serving: serving.collect(),
        refused: refused.collect(),
    }
}
