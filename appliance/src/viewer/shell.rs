//! The web application, bundled into the binary by build.rs.

use axum::body::Body;
use axum::extract::Request;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_NONE_MATCH,
    REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

/// One file of the application, compressed.
struct ShellFile {
    path: &'static str,
    media_type: &'static str,
    tag: &'static str,
    gzip: &'static [u8],
}

include!(concat!(env!("OUT_DIR"), "/shell.rs"));

/// Everything comes from this box and nothing is inline: a name in a data set can never become a script.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; \
                      connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// Puts the same fences around every answer.
pub(super) async fn headers(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

/// Serves the application; paths without a dot are places inside it and get its page.
pub(super) async fn serve(request: Request) -> Response {
    if request.method() != Method::GET && request.method() != Method::HEAD {
        return StatusCode::METHOD_NOT_ALLOWED.into_response();
    }
    if SHELL.is_empty() {
        let sentence = "This box was built without its web application: run `make web`, then build again.\n";
        return (StatusCode::OK, [(CONTENT_TYPE, "text/plain; charset=utf-8")], sentence).into_response();
    }
    let path = request.uri().path().trim_start_matches('/');
    let path = if path.contains('.') { path } else { "index.html" };
    let Some(file) = SHELL.iter().find(|file| file.path == path) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    // Names under assets/ carry a hash of their content; everything else is asked for every time.
    let caching =
        if path.starts_with("assets/") { "public, max-age=31536000, immutable" } else { "no-cache" };
    if request.headers().get(IF_NONE_MATCH).is_some_and(|known| known == file.tag) {
        return (StatusCode::NOT_MODIFIED, [(ETAG, file.tag), (CACHE_CONTROL, caching)]).into_response();
    }
    let headers = [
        (CONTENT_TYPE, file.media_type),
        (CONTENT_ENCODING, "gzip"),
        (ETAG, file.tag),
        (CACHE_CONTROL, caching),
    ];
    (headers, Body::from(file.gzip)).into_response()
}
