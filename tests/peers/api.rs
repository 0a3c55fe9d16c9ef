//! The box's HTTP interface as a script sees it.

use serde_json::{Value, json};
use ureq::http::Request;

use super::patience::patience;

/// A client of one box; with a token it sends `Authorization: Bearer`.
#[derive(Clone, Debug)]
pub struct Api {
    agent: ureq::Agent,
    base: String,
    token: Option<String>,
}

/// What came back, whatever its status.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

/// A request that failed, or an answer with another status than 2xx.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    #[error("{request}: {source}")]
    Transport { request: String, source: Box<ureq::Error> },
    #[error("{request}: status {status}: {body}")]
    Status { request: String, status: u16, body: String },
    #[error("{request}: not JSON: {source}")]
    Json { request: String, source: serde_json::Error },
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

impl Api {
    pub fn new(base: &str, token: Option<&str>) -> Self {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_global(Some(patience()))
            .build();
        Self { agent: config.into(), base: base.to_owned(), token: token.map(str::to_owned) }
    }

    /// The same box with another token, or none.
    #[must_use]
    pub fn with_token(&self, token: Option<&str>) -> Self {
        Self { token: token.map(str::to_owned), ..self.clone() }
    }

    /// Any request; every answer is fine.
    pub fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Result<Answer, ApiError> {
        let request_line = format!("{method} {path}");
        let transport =
            |source| ApiError::Transport { request: request_line.clone(), source: Box::new(source) };
        let mut request = Request::builder().method(method).uri(format!("{}{path}", self.base));
        if let Some(token) = &self.token {
            request = request.header("Authorization", format!("Bearer {token}"));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let sent = match body {
            Some(body) => {
                let request = request.header("Content-Type", "application/json").body(body.to_string());
                self.agent.run(request.map_err(|why| transport(why.into()))?)
            }
            None => self.agent.run(request.body(()).map_err(|why| transport(why.into()))?),
        };
        let mut response = sent.map_err(transport)?;
        let headers = response.headers().iter();
        let headers = headers
            .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()));
        Ok(Answer {
            status: response.status().as_u16(),
            headers: headers.collect(),
            // Larger than any answer of the box; without a bound the client stops at 10 MB.
            body: response.body_mut().with_config().limit(1 << 30).read_to_vec().map_err(transport)?,
        })
    }

    /// GET, whatever the answer.
    pub fn get(&self, path: &str) -> Result<Answer, ApiError> {
        self.send("GET", path, &[], None)
    }

    /// GET of a JSON document.
    pub fn json(&self, path: &str) -> Result<Value, ApiError> {
        let answer = self.get(path)?;
        parse(&format!("GET {path}"), &answer)
    }

    /// GET of bytes.
    pub fn bytes(&self, path: &str) -> Result<Vec<u8>, ApiError> {
        let answer = self.get(path)?;
        check(&format!("GET {path}"), &answer)?;
        Ok(answer.body)
    }

    /// POST of a JSON document that is answered by one.
    pub fn post(&self, path: &str, body: &Value) -> Result<Value, ApiError> {
        let answer = self.send("POST", path, &[], Some(body))?;
        parse(&format!("POST {path}"), &answer)
    }

    // --- the box's own documents ---------------------------------------------------------------------------

    pub fn studies(&self) -> Result<Vec<Value>, ApiError> {
        Ok(list(self.json("/api/studies")?, "studies"))
    }

    pub fn study(&self, uid: &str) -> Result<Value, ApiError> {
        self.json(&format!("/api/studies/{uid}"))
    }

    /// Findings of a study, newest first.
    pub fn findings(&self, study_uid: &str) -> Result<Vec<Value>, ApiError> {
        Ok(list(self.json(&format!("/api/studies/{study_uid}/findings"))?, "findings"))
    }

    /// Findings of one kind, newest first.
    pub fn findings_of(&self, study_uid: &str, kind: &str) -> Result<Vec<Value>, ApiError> {
        let mut findings = self.findings(study_uid)?;
        findings.retain(|finding| finding["kind"] == kind);
        Ok(findings)
    }

    /// Values of frame `n` of a series, in stack order.
    pub fn frame(&self, study_uid: &str, series_uid: &str, n: usize) -> Result<Vec<i16>, ApiError> {
        let path = format!("/api/studies/{study_uid}/series/{series_uid}/frames/{n}.i16");
        let bytes = self.bytes(&path)?;
        Ok(bytes.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect())
    }

    /// Asks for the score inside a shape; returns the id of the finding to come.
    pub fn score_region(&self, study_uid: &str, series_uid: &str, shape: &Value) -> Result<String, ApiError> {
        let body = json!({ "series_uid": series_uid, "shape": shape });
        let answer = self.post(&format!("/api/studies/{study_uid}/regions"), &body)?;
        Ok(answer["finding_id"].as_str().unwrap_or_default().to_owned())
    }
}

/// The value of the first measurement whose name contains `name`, whatever the case.
pub fn measurement(finding: &Value, name: &str) -> Option<f64> {
    let named = |entry: &&Value| {
        entry["name"].as_str().is_some_and(|found| found.to_lowercase().contains(&name.to_lowercase()))
    };
    finding["measurements"].as_array()?.iter().find(named)?["value"].as_f64()
}

fn list(mut document: Value, key: &str) -> Vec<Value> {
    match document[key].take() {
        Value::Array(entries) => entries,
        _ => Vec::new(),
    }
}

fn check(request: &str, answer: &Answer) -> Result<(), ApiError> {
    if (200..300).contains(&answer.status) {
        return Ok(());
    }
    let body = answer.text();
    Err(ApiError::Status { request: request.to_owned(), status: answer.status, body })
}

fn parse(request: &str, answer: &Answer) -> Result<Value, ApiError> {
    check(request, answer)?;
    serde_json::from_slice(&answer.body)
        .map_err(|source| ApiError::Json { request: request.to_owned(), source })
}
