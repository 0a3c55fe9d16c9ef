//! Networks for whoever deploys them: every version side by side, and each of them to take away.
//!
//! A bundle goes out as one tar or file by file, each under the digest of its bytes (`ETag`, `Repr-Digest`), whole or from
//! any byte on. What was refused stays here. What changed on the disk since it was verified is not given out under the old
//! digest.

use std::io::Write;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG,
    IF_NONE_MATCH, IF_RANGE,
};
use axum::http::{HeaderMap, HeaderName, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::{Deserialize, Serialize};
use sidelight_models::archive::{Archive, BundleFile};
use sidelight_models::catalogue::Standing;
use utoipa::ToSchema;

use super::Desk;
use super::dicomweb::range::{Asked, Cut, asked, impossible};
use super::dicomweb::stream::stream;
use super::error::ApiError;
use super::shapes::Problem;
use crate::inference::{Deployed, Refused};

/// RFC 9530.
const REPR_DIGEST: HeaderName = HeaderName::from_static("repr-digest");

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct BundleManifest {
    pub allow_demonstration_models: bool,
    /// By name, the newest version first; then those refused.
    pub bundles: Vec<BundleShape>,
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct BundleShape {
    pub name: String,
    /// Absent where the manifest cannot be read.
    pub version: Option<String>,
    pub folder: String,
    /// `serving`, `fallback` (serves when the newest is refused), `superseded` or `refused`.
    pub standing: &'static str,
    /// Why it was refused.
    pub reason: Option<String>,
    /// Whether this site may be shown results of it.
    pub accepted_here: bool,
    pub demonstration: Option<bool>,
    pub statement: Option<String>,
    pub intended_use: Option<String>,
    pub licence: Option<String>,
    /// Of the network's file, as the manifest says.
    pub network_sha256: Option<String>,
    /// Of the whole bundle as it is downloaded.
    pub sha256: Option<String>,
    pub bytes: Option<u64>,
    pub files: Vec<BundleFileShape>,
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct BundleFileShape {
    pub name: String,
    pub bytes: u64,
    pub sha256: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct DownloadQuery {
    version: Option<String>,
    file: Option<String>,
}

/// Every bundle of this box, every version side by side.
#[utoipa::path(get, path = "/api/models/manifest", responses((status = 200, body = BundleManifest), (status = 503, body = Problem)))]
pub(super) async fn manifest(State(desk): State<Arc<Desk>>) -> Result<Json<BundleManifest>, ApiError> {
    let (allow_demonstration_models, deployed) = deployed(&desk)?;
    let shape = |one: &Deployed| shape(one, allow_demonstration_models);
    Ok(Json(BundleManifest { allow_demonstration_models, bundles: deployed.iter().map(shape).collect() }))
}

fn deployed(desk: &Desk) -> Result<(bool, Arc<[Deployed]>), ApiError> {
    let unavailable = |sentence: String| ApiError::new(StatusCode::SERVICE_UNAVAILABLE, sentence);
    match desk.inference.info() {
        None => Err(unavailable("the bundles are being verified; ask again in a moment".into())),
        Some(Err(error)) => Err(unavailable(error.to_string())),
        Some(Ok(info)) => Ok((info.allow_demonstrations, info.deployed)),
    }
}

fn standing(deployed: &Deployed) -> &'static str {
    match deployed.standing {
        Ok(Standing::Serving) => "serving",
        Ok(Standing::Fallback) => "fallback",
        Ok(Standing::Superseded) => "superseded",
        Err(_) => "refused",
    }
}

fn shape(deployed: &Deployed, allow_demonstrations: bool) -> BundleShape {
    let manifest = deployed.manifest.as_deref();
    let files = deployed.files.iter().map(|file| BundleFileShape {
        name: file.name.clone(),
        bytes: file.bytes,
        sha256: file.sha256.clone(),
    });
    let demonstration = manifest.map(|manifest| manifest.demonstration);
    BundleShape {
        name: deployed.name().to_owned(),
        version: deployed.version().map(str::to_owned),
        folder: deployed.folder.clone(),
        standing: standing(deployed),
        reason: deployed.standing.as_ref().err().map(|Refused(reason)| reason.clone()),
        accepted_here: deployed.standing.is_ok() && (allow_demonstrations || demonstration == Some(false)),
        demonstration,
        statement: manifest.map(|manifest| manifest.statement.clone()),
        intended_use: manifest.map(|manifest| manifest.intended_use.clone()),
        licence: manifest.map(|manifest| manifest.licence.clone()),
        network_sha256: manifest.map(|manifest| manifest.network.sha256.clone()),
        sha256: deployed.archive.as_ref().map(|(_, sha256)| sha256.clone()),
        bytes: deployed.archive.as_ref().map(|(archive, _)| archive.bytes()),
        files: files.collect(),
    }
}

/// A bundle, or a file of it, as it was verified here.
#[utoipa::path(
    get,
    path = "/api/models/{name}/download",
    operation_id = "download_bundle",
    params(
        ("version" = Option<String>, Query, description = "The version that serves where absent."),
        ("file" = Option<String>, Query, description = "One file; a tar of all of them where absent."),
    ),
    responses(
        (status = 200, content_type = "application/x-tar", body = Vec<u8>),
        (status = 206, content_type = "application/x-tar", body = Vec<u8>),
        (status = 304),
        (status = 404, body = Problem),
        (status = 409, body = Problem),
        (status = 416, body = Problem),
        (status = 503, body = Problem),
    )
)]
pub(super) async fn download_bundle(
    State(desk): State<Arc<Desk>>,
    Path(name): Path<String>,
    Query(query): Query<DownloadQuery>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let (_, deployed) = deployed(&desk)?;
    let bundle = chosen(&deployed, &name, query.version.as_deref())?;
    let taken = Taken::of(bundle, query.file.as_deref())?;
    if bundle.files.iter().any(|file| !file.is_unchanged()) {
        let sentence =
            format!("{} changed on the disk since it was verified; restart the box", bundle.folder);
        return Err(ApiError::new(StatusCode::CONFLICT, sentence));
    }
    Ok(taken.answer(&headers))
}

/// The version asked for; without one, that which serves.
fn chosen<'a>(deployed: &'a [Deployed], name: &str, version: Option<&str>) -> Result<&'a Deployed, ApiError> {
    let wanted = |one: &&Deployed| {
        one.name() == name
            && match version {
                Some(version) => one.version() == Some(version),
                None => one.standing == Ok(Standing::Serving),
            }
    };
    let found = deployed.iter().find(wanted).ok_or_else(|| {
        ApiError::not_found("bundle; /api/models/manifest lists every name and version there is")
    })?;
    match &found.standing {
        Ok(_) => Ok(found),
        Err(Refused(reason)) => {
            Err(ApiError::new(StatusCode::CONFLICT, format!("this version was refused: {reason}")))
        }
    }
}

/// What goes out.
struct Taken {
    name: String,
    media: &'static str,
    sha256: String,
    bytes: u64,
    what: What,
}

enum What {
    Whole(Archive),
    File(BundleFile),
}

impl What {
    fn write(&self, first: u64, count: u64, out: &mut dyn Write) -> std::io::Result<()> {
        match self {
            Self::Whole(archive) => archive.write(first, count, out),
            Self::File(file) => file.write(first, count, out),
        }
    }
}

impl Taken {
    fn of(bundle: &Deployed, file: Option<&str>) -> Result<Self, ApiError> {
        if let Some(name) = file {
            let file = bundle.files.iter().find(|file| file.name == name);
            let file = file.ok_or_else(|| ApiError::not_found("file in this bundle"))?.clone();
            let (sha256, bytes, media) = (file.sha256.clone(), file.bytes, "application/octet-stream");
            return Ok(Self { name: file.name.clone(), media, sha256, bytes, what: What::File(file) });
        }
        let (archive, sha256) = bundle.archive.clone().ok_or_else(|| ApiError::not_found("bundle"))?;
        let name = format!("{}-{}.tar", bundle.name(), bundle.version().unwrap_or_default());
        let (bytes, media) = (archive.bytes(), "application/x-tar");
        Ok(Self { name, media, sha256, bytes, what: What::Whole(archive) })
    }

    fn answer(self, headers: &HeaderMap) -> Response {
        let tag = format!("\"{}\"", self.sha256);
        let digest = format!("sha-256=:{}:", BASE64_STANDARD.encode(bytes_of(&self.sha256)));
        let fixed = [
            (ETAG, tag.clone()),
            (REPR_DIGEST, digest),
            (ACCEPT_RANGES, "bytes".to_owned()),
            (CACHE_CONTROL, "private, no-cache".to_owned()),
        ];
        if is_known(headers, &tag) {
            return (StatusCode::NOT_MODIFIED, fixed).into_response();
        }
        // A range of another version than the asker has is no continuation: all of it goes out.
        let same = headers.get(IF_RANGE).is_none_or(|known| known.as_bytes() == tag.as_bytes());
        let wanted = if same { asked(headers, self.bytes) } else { Asked::Whole };
        let (status, cut) = match wanted {
            Asked::Impossible => return impossible(self.bytes),
            Asked::Whole => (StatusCode::OK, Cut { first: 0, count: self.bytes, whole: self.bytes }),
            Asked::Part(cut) => (StatusCode::PARTIAL_CONTENT, cut),
        };
        let about = [
            (CONTENT_TYPE, self.media.to_owned()),
            (CONTENT_LENGTH, cut.count.to_string()),
            (CONTENT_DISPOSITION, format!("attachment; filename=\"{}\"", self.name)),
        ];
        let what = self.what;
        let body = stream(move |out| {
            what.write(cut.first, cut.count, out).map_err(|error| ApiError::internal(&error))
        });
        let mut response = (status, fixed, about, body).into_response();
        if status == StatusCode::PARTIAL_CONTENT
            && let Ok(words) = cut.words().parse()
        {
            response.headers_mut().insert(CONTENT_RANGE, words);
        }
        response
    }
}

/// Whether the asker has what carries the tag (RFC 9110 13.1.2).
fn is_known(headers: &HeaderMap, tag: &str) -> bool {
    let known = headers.get(IF_NONE_MATCH).and_then(|value| value.to_str().ok()).unwrap_or_default();
    known.split(',').map(str::trim).any(|one| one == "*" || one.strip_prefix("W/").unwrap_or(one) == tag)
}

/// Of hexadecimal digits.
fn bytes_of(hexadecimal: &str) -> Vec<u8> {
    let digits = (0..hexadecimal.len() / 2).filter_map(|at| hexadecimal.get(2 * at..2 * at + 2));
    digits.filter_map(|two| u8::from_str_radix(two, 16).ok()).collect()
}
