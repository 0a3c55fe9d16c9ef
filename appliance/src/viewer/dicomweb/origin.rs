//! Where the client believes this service to be: Retrieve URLs are followed as they stand, so they must lead back
//! through whatever proxy the request came through.
//!
//! `Forwarded` (RFC 7239) comes first, then `X-Forwarded-Proto` and `X-Forwarded-Host`, then the request's own Host
//! under this door's scheme. What a header says only ever reaches the client that sent it (answers are `no-store`), so
//! it is believed; what is not a host or a scheme is not. Without a host the address is relative.

use axum::http::HeaderMap;
use axum::http::header::{FORWARDED, HOST};

use super::accept::split_outside_quotes;

const X_FORWARDED_PROTO: &str = "x-forwarded-proto";
const X_FORWARDED_HOST: &str = "x-forwarded-host";
/// The door itself speaks plain HTTP; a proxy that ends TLS says so.
const OWN_SCHEME: &str = "http";

/// Address of the service as the client called it, without a last slash.
pub(super) fn base(headers: &HeaderMap) -> String {
    let forwarded = headers.get(FORWARDED).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let scheme = [first_pair(forwarded, "proto"), first_of(headers, X_FORWARDED_PROTO)];
    let scheme = scheme.into_iter().flatten().find_map(known_scheme).unwrap_or(OWN_SCHEME);
    let hosts = [
        first_pair(forwarded, "host"),
        first_of(headers, X_FORWARDED_HOST),
        headers.get(HOST).and_then(|host| host.to_str().ok()),
    ];
    match hosts.into_iter().flatten().find(|host| is_host(host)) {
        Some(host) => format!("{scheme}://{host}/dicom-web"),
        None => "/dicom-web".into(),
    }
}

/// A parameter of the first element: the proxy nearest to the client.
fn first_pair<'a>(forwarded: &'a str, name: &str) -> Option<&'a str> {
    let element = *split_outside_quotes(forwarded, ',').first()?;
    split_outside_quotes(element, ';').into_iter().find_map(|pair| {
        let (known, value) = pair.trim().split_once('=')?;
        known.eq_ignore_ascii_case(name).then(|| value.trim_matches('"'))
    })
}

fn first_of<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()?.split(',').next().map(str::trim)
}

fn known_scheme(text: &str) -> Option<&'static str> {
    ["https", "http"].into_iter().find(|scheme| text.eq_ignore_ascii_case(scheme))
}

fn is_host(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':' | '[' | ']' | '_');
    !text.is_empty() && text.chars().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(pairs: &[(&'static str, &'static str)]) -> String {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.insert(*name, value.parse().unwrap());
        }
        base(&headers)
    }

    #[test]
    fn addresses_are_built_from_a_host_that_is_one() {
        assert_eq!(of(&[]), "/dicom-web");
        assert_eq!(of(&[("host", "box.local:8443")]), "http://box.local:8443/dicom-web");
        assert_eq!(of(&[("host", "[::1]:80")]), "http://[::1]:80/dicom-web");
        assert_eq!(of(&[("host", "evil/<script>")]), "/dicom-web");
    }

    #[test]
    fn a_proxy_that_ends_tls_is_believed_and_nonsense_is_not() {
        let host = ("host", "127.0.0.1:8080");
        assert_eq!(
            of(&[host, ("forwarded", "for=10.0.0.1;proto=https;host=pacs.example, for=10.0.0.2;proto=http")]),
            "https://pacs.example/dicom-web"
        );
        assert_eq!(
            of(&[host, ("forwarded", "Host=\"[2001:db8::1]:8443\";Proto=\"HTTPS\"")]),
            "https://[2001:db8::1]:8443/dicom-web"
        );
        assert_eq!(
            of(&[host, ("x-forwarded-proto", "https, http"), ("x-forwarded-host", "viewer.example")]),
            "https://viewer.example/dicom-web"
        );
        assert_eq!(of(&[host, ("x-forwarded-proto", "https")]), "https://127.0.0.1:8080/dicom-web");
        assert_eq!(
            of(&[host, ("forwarded", "proto=javascript;host=\"a/b\"")]),
            "http://127.0.0.1:8080/dicom-web"
        );
    }
}
