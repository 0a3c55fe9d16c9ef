//! Metadata of a study, a series or an instance (PS3.18 10.4.1.1.2), from documents made once and kept.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

use super::accept::Accept;
use super::attributes;
use super::instances::{broken, not_acceptable};
use super::stream::stream;
use super::target::{Parameters, Target, Words, instance_path, parameter};
use crate::part10::data_set_json;
use crate::store::records::InstanceRecord;
use crate::store::{MetadataFile, Store, StoreError};
use crate::viewer::Desk;
use crate::viewer::error::{ApiError, blocking};

pub(super) const MEDIA: &str = "application/dicom+json";

/// Metadata in the DICOM JSON Model; bulk data by reference.
#[utoipa::path(
    get,
    path = "/dicom-web/studies/{study}/metadata",
    responses(
        (status = 200, content_type = "application/dicom+json", body = Vec<Object>, description = "also below .../series/{series} and .../instances/{instance}"),
        (status = 404, body = crate::viewer::shapes::Problem, content_type = "application/problem+json"),
        (status = 406, body = crate::viewer::shapes::Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn metadata(
    State(desk): State<Arc<Desk>>,
    Path(words): Path<Words>,
    Query(parameters): Query<Parameters>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let target = Target::of(&words)?;
    let accept = Accept::of(&headers, parameter(&parameters, "accept"));
    accept.first_of(&[MEDIA, "application/json"]).ok_or_else(not_acceptable)?;
    let store = desk.store.clone();
    let records = blocking(move || target.instances(&store)).await?;
    let store = desk.store.clone();
    let body = stream(move |out| {
        out.write_all(b"[").map_err(broken)?;
        let mut first = true;
        for series in records.chunk_by(|a, b| a.facts.series == b.facts.series) {
            for document in documents(&store, series)? {
                if !std::mem::take(&mut first) {
                    out.write_all(b",").map_err(broken)?;
                }
                out.write_all(&document.map_err(broken)?).map_err(broken)?;
            }
        }
        out.write_all(b"]").map_err(broken)
    });
    Ok(([(CONTENT_TYPE, MEDIA)], body).into_response())
}

/// Documents of instances of one series, read one after another.
pub(super) struct Documents {
    file: File,
    places: std::vec::IntoIter<(u64, usize)>,
}

impl Iterator for Documents {
    type Item = std::io::Result<Vec<u8>>;

    fn next(&mut self) -> Option<Self::Item> {
        let (at, length) = self.places.next()?;
        let mut read = || {
            self.file.seek(SeekFrom::Start(at))?;
            let mut document = vec![0u8; length];
            self.file.read_exact(&mut document)?;
            Ok(document)
        };
        Some(read())
    }
}

pub(super) fn documents(store: &Store, instances: &[InstanceRecord]) -> Result<Documents, StoreError> {
    let Some(first) = instances.first() else { return Err(StoreError::Unknown("series")) };
    let make = |record: &InstanceRecord| document(store, record);
    let MetadataFile { file, places } =
        store.metadata(&first.facts.study, &first.facts.series, instances, &make)?;
    Ok(Documents { file, places: places.into_iter() })
}

/// One line of JSON. Where the object's header does not read, what the index knows of it.
fn document(store: &Store, record: &InstanceRecord) -> Vec<u8> {
    let prefix = format!("{}/bulkdata", instance_path(record));
    let mut object = match data_set_json(&store.instance_path(record), &prefix) {
        Ok(object) => object,
        Err(error) => {
            tracing::warn!(%error, "an object's header does not read; its metadata is what the index knows");
            known(record)
        }
    };
    let syntax = json!({ "vr": "UI", "Value": [record.facts.transfer_syntax] });
    object.insert("00083002".into(), syntax);
    Value::Object(object).to_string().into_bytes()
}

fn known(record: &InstanceRecord) -> Map<String, Value> {
    let mut object = Map::new();
    attributes::patient_and_study(&record.facts.patient_study, record.facts.study.as_str(), &mut object);
    attributes::text(&mut object, "0020000E", "UI", record.facts.series.as_str());
    attributes::text(&mut object, "00080060", "CS", &record.facts.modality);
    attributes::instance(record, &mut object);
    object
}
