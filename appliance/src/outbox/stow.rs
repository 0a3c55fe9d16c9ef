//! A destination that speaks DICOMweb: objects by STOW-RS, one a request, confirmed when QIDO-RS finds them again.
//!
//! The one door to ureq. Everything blocks and runs on a blocking thread; a file is streamed, never held in memory.
//! Plain HTTP only: the site file lets nothing else through while a lab site is the only kind there is.

use std::fs::File;
use std::io::{Cursor, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;
use ureq::http::{Request, Response};
use ureq::{Agent, Body, SendBody};

use super::destination::{Batch, Confirmation, Sent, Unreached};
use crate::store::{ObjectName, hex};

const CONNECT_WITHIN: Duration = Duration::from_secs(10);
/// A whole request: the largest multi-frame objects take minutes on a slow line.
const REQUEST_WITHIN: Duration = Duration::from_secs(600);
/// An answer about one object is small.
const ANSWER_BYTES_MAX: u64 = 1 << 20;
const DICOM_JSON: &str = "application/dicom+json";

#[derive(Debug)]
pub(super) struct StowService {
    agent: Agent,
    url: String,
}

/// How one request ended.
enum Answered {
    Sent(Sent),
    /// The service, not the object.
    Unreached(String),
}

impl StowService {
    pub(super) fn new(url: &str) -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            // A connection that the service closed in the meantime must not look like an object that breaks it.
            .max_idle_connections(0)
            .timeout_connect(Some(CONNECT_WITHIN))
            .timeout_global(Some(REQUEST_WITHIN))
            .build();
        Self { agent: config.into(), url: url.trim_end_matches('/').to_owned() }
    }

    /// Sends files in order, one request each.
    pub(super) async fn send(&mut self, paths: &[PathBuf]) -> Batch {
        let (agent, url, paths) = (self.agent.clone(), self.url.clone(), paths.to_vec());
        let work = move || {
            let mut outcomes = Vec::new();
            for (position, path) in paths.iter().enumerate() {
                match store(&agent, &url, path) {
                    Ok(Answered::Sent(sent)) => outcomes.push(sent),
                    Ok(Answered::Unreached(reason)) => {
                        return Batch { outcomes, ended: Some(Unreached { reason, during: None }) };
                    }
                    Err(error) => {
                        // No connection at all says nothing about the object.
                        let during =
                            (!matches!(error, ureq::Error::ConnectionFailed | ureq::Error::HostNotFound)
                                && !is_refused(&error))
                            .then_some(position);
                        return Batch {
                            outcomes,
                            ended: Some(Unreached { reason: error.to_string(), during }),
                        };
                    }
                }
            }
            Batch { outcomes, ended: None }
        };
        tokio::task::spawn_blocking(work).await.expect("sending does not panic")
    }

    /// Looks every object up by QIDO-RS. A quarantined object has no UIDs to be found by and stays unconfirmed.
    pub(super) async fn confirm(&mut self, objects: &[ObjectName]) -> Result<Confirmation, Unreached> {
        let (agent, url, objects) = (self.agent.clone(), self.url.clone(), objects.to_vec());
        let work = move || {
            let mut confirmation = Confirmation::default();
            for object in objects {
                match find(&agent, &url, &object) {
                    Ok(Some(true)) => confirmation.kept.push(object),
                    Ok(Some(false)) => confirmation.missing.push(object),
                    Ok(None) => confirmation.unasked.push(object),
                    Err(reason) => return Err(Unreached { reason, during: None }),
                }
            }
            Ok(confirmation)
        };
        tokio::task::spawn_blocking(work).await.expect("asking does not panic")
    }
}

fn is_refused(error: &ureq::Error) -> bool {
    matches!(error, ureq::Error::Io(error) if error.kind() == std::io::ErrorKind::ConnectionRefused)
}

/// Separates the one part: 128 random bits, new for each request, occur in no object by accident or on purpose.
fn boundary() -> String {
    let mut bytes = [0u8; 16];
    getrandom::fill(&mut bytes).expect("the kernel has random numbers");
    hex(&bytes)
}

/// STOW-RS of one file (PS3.18 10.5): the object goes as it lies on the disk, header included.
fn store(agent: &Agent, url: &str, path: &Path) -> Result<Answered, ureq::Error> {
    let opened = File::open(path).and_then(|file| Ok((file.metadata()?.len(), file)));
    let (length, file) = match opened {
        Ok(opened) => opened,
        Err(error) => {
            tracing::error!("an object that is owed cannot be read; it is set apart");
            let for_good = error.kind() == std::io::ErrorKind::NotFound;
            return Ok(Answered::Sent(Sent::Refused { reason: error.to_string(), for_good }));
        }
    };
    let boundary = boundary();
    let head = format!("--{boundary}\r\nContent-Type: application/dicom\r\nContent-Length: {length}\r\n\r\n");
    let tail = format!("\r\n--{boundary}--\r\n");
    let total = head.len() as u64 + length + tail.len() as u64;
    let mut body = Cursor::new(head).chain(file.take(length)).chain(Cursor::new(tail));
    let request = Request::post(format!("{url}/studies"))
        .header("Content-Type", format!("multipart/related; type=\"application/dicom\"; boundary={boundary}"))
        .header("Content-Length", total)
        .header("Accept", DICOM_JSON)
        .body(SendBody::from_reader(&mut body))?;
    Ok(judge(&mut agent.run(request)?))
}

/// PS3.18 10.5.3.1: 200 all stored, 202 some with a warning, 409 none stored; the rest is the service's trouble.
fn judge(response: &mut Response<Body>) -> Answered {
    let code = response.status().as_u16();
    let refused =
        |for_good| Answered::Sent(Sent::Refused { reason: format!("answered with {code}"), for_good });
    match code {
        200 | 202 => {
            let failed = json(response).is_some_and(|answer| answer.get("00081198").is_some_and(has_items));
            if failed { refused(false) } else { Answered::Sent(Sent::Arrived) }
        }
        415 => refused(true),
        400 | 409 | 413 | 422 => refused(false),
        _ => Answered::Unreached(format!("the service answered with {code}")),
    }
}

/// Whether a QIDO-RS search finds the instance in its study and series; `None` where it cannot be asked for.
fn find(agent: &Agent, url: &str, object: &ObjectName) -> Result<Option<bool>, String> {
    let Some((study, series, sop)) = object.uids() else { return Ok(None) };
    let (study, series, sop) = (study.as_str(), series.as_str(), sop.as_str());
    let query = format!("{url}/studies/{study}/series/{series}/instances?SOPInstanceUID={sop}");
    let request = Request::get(query).header("Accept", DICOM_JSON).body(()).map_err(|why| why.to_string())?;
    let mut response = agent.run(request).map_err(|why| why.to_string())?;
    match response.status().as_u16() {
        200 => {}
        204 | 404 => return Ok(Some(false)),
        code => return Err(format!("the service answered a search with {code}")),
    }
    let answer = json(&mut response).ok_or("the service answered a search with something that is no JSON")?;
    let uid = |found: &Value| found["00080018"]["Value"][0].as_str() == Some(sop);
    Ok(Some(answer.as_array().is_some_and(|found| found.iter().any(uid))))
}

fn has_items(element: &Value) -> bool {
    element["Value"].as_array().is_some_and(|items| !items.is_empty())
}

fn json(response: &mut Response<Body>) -> Option<Value> {
    let bytes = response.body_mut().with_config().limit(ANSWER_BYTES_MAX).read_to_vec().ok()?;
    serde_json::from_slice(&bytes).ok()
}
