//! The size and the words of the sources. The lists of exceptions may only shrink: one that is no longer needed
//! fails the test.

use proc_macro2::Span;
use syn::spanned::Spanned as _;
use syn::visit::{self, Visit};

use crate::sources::{self, Source};

const FILE_LINES_MAX: usize = 400;
const FUNCTION_LINES_MAX: usize = 70;

/// Files that may be longer, and how long.
const LONGER_FILES: &[(&str, usize)] = &[];

/// `path::function` that may be longer, and how long.
const LONGER_FUNCTIONS: &[(&str, usize)] = &[];

/// Words that say nothing about what a thing is for.
const EMPTY_WORDS: &[&str] = &["util", "utils", "common", "helper", "helpers", "manager", "misc"];

/// What people read as source. Lock files, licences, data and generated types (.d.ts) are not.
const READ_BY_PEOPLE: &[&str] = &["rs", "wgsl", "ts", "tsx", "css", "js", "mjs", "sh", "py", "html"];

fn extension(path: &str) -> &str {
    path.rsplit_once('.').map_or("", |(_, extension)| extension)
}

/// Compares what was measured with the limit and the exceptions.
fn hold(what: &str, measured: &[(String, usize)], limit: usize, exceptions: &[(&str, usize)]) {
    let allowed = |name: &str| exceptions.iter().find(|(known, _)| *known == name).map_or(limit, |e| e.1);
    let over: Vec<_> = measured.iter().filter(|(name, lines)| *lines > allowed(name)).collect();
    assert!(over.is_empty(), "{what} over {limit} lines (or their exception): {over:#?}");
    for (known, _) in exceptions {
        let found = measured.iter().find(|(name, _)| name == known).map(|(_, lines)| *lines);
        assert!(
            found.is_some_and(|lines| lines > limit),
            "{known} is no exception any more ({found:?} lines)"
        );
    }
}

#[test]
fn files_stay_short_enough_to_read() {
    let sources = sources::all();
    let read = |path: &str| READ_BY_PEOPLE.contains(&extension(path)) && !path.ends_with(".d.ts");
    let sources = sources.iter().filter(|source| read(&source.path));
    let measured: Vec<_> = sources.map(|source| (source.path.clone(), source.lines())).collect();
    hold("files", &measured, FILE_LINES_MAX, LONGER_FILES);
}

#[test]
fn functions_stay_short_enough_to_read() {
    let mut measured = Vec::new();
    for source in sources::rust() {
        let file = syn::parse_file(&source.text).unwrap_or_else(|why| panic!("{}: {why}", source.path));
        let mut functions = Functions { path: &source.path, measured: &mut measured };
        functions.visit_file(&file);
    }
    assert!(measured.len() > 100, "only {} functions found", measured.len());
    hold("functions", &measured, FUNCTION_LINES_MAX, LONGER_FUNCTIONS);
}

struct Functions<'a> {
    path: &'a str,
    measured: &'a mut Vec<(String, usize)>,
}

impl Functions<'_> {
    fn note(&mut self, signature: &syn::Signature, end: Span) {
        let lines = end.end().line - signature.span().start().line + 1;
        self.measured.push((format!("{}::{}", self.path, signature.ident), lines));
    }
}

impl<'ast> Visit<'ast> for Functions<'_> {
    fn visit_item_fn(&mut self, function: &'ast syn::ItemFn) {
        self.note(&function.sig, function.block.span());
        visit::visit_item_fn(self, function);
    }

    fn visit_impl_item_fn(&mut self, function: &'ast syn::ImplItemFn) {
        self.note(&function.sig, function.block.span());
        visit::visit_impl_item_fn(self, function);
    }
}

#[test]
fn names_say_what_a_thing_is_for() {
    for source in sources::all() {
        for part in source.path.split('/') {
            let stem = part.split('.').next().unwrap_or_default().to_lowercase();
            assert!(!EMPTY_WORDS.contains(&stem.as_str()), "{}: a name that says nothing", source.path);
        }
    }
    for source in sources::rust() {
        for pair in source.tokens().windows(2) {
            let defines = ["mod", "struct", "enum", "trait", "type"].contains(&pair[0].as_str());
            let name = pair[1].to_lowercase();
            let empty = EMPTY_WORDS.iter().any(|word| name.ends_with(word));
            assert!(!(defines && empty), "{}: {} says nothing", source.path, pair[1]);
        }
    }
}

#[test]
fn nothing_is_left_to_do_and_called_done() {
    for source in sources::rust() {
        for pair in source.tokens().windows(2) {
            let left = ["todo", "unimplemented", "dbg"].contains(&pair[0].as_str()) && pair[1] == "!";
            assert!(!left, "{}: {}!", source.path, pair[0]);
        }
    }
}

#[test]
fn nothing_names_the_place_where_it_was_written() {
    // In two pieces, or this file would be the first to fail.
    let workplace = concat!("/wo", "rk/");
    let named = |source: &Source| source.text.contains(workplace);
    let found: Vec<String> = sources::all().into_iter().filter(named).map(|source| source.path).collect();
    assert!(found.is_empty(), "{found:?} name a path of one machine");
}

#[test]
fn every_kernel_has_its_twin() {
    let sources = sources::all();
    let kernels = sources.iter().filter_map(|source| source.path.strip_prefix("kernels/wgsl/"));
    // What kernels share (kernels/wgsl/shared/) runs only as a part of them.
    let kernels: Vec<&str> = kernels.filter(|path| !path.contains('/')).collect();
    assert!(!kernels.is_empty(), "no kernels found");
    for kernel in kernels {
        let name = kernel.trim_end_matches(".wgsl");
        // The passes of one algorithm (calcium_merge, calcium_measure) share one twin (calcium).
        let algorithms = name.match_indices('_').map(|(end, _)| &name[..end]).chain([name]);
        let twins: Vec<String> = algorithms.map(|name| format!("kernels/src/cpu/{name}.rs")).collect();
        let found = sources.iter().any(|source| twins.contains(&source.path));
        assert!(found, "kernels/wgsl/{kernel} has none of {twins:?}");
    }
}

#[test]
fn an_exception_that_is_not_needed_fails() {
    let short = [("a".to_owned(), 10)];
    let outcome = std::panic::catch_unwind(|| hold("files", &short, 20, &[("a", 30)]));
    assert!(outcome.is_err(), "an exception for a file below the limit was let through");
    let long = [("a".to_owned(), 31)];
    let outcome = std::panic::catch_unwind(|| hold("files", &long, 20, &[("a", 30)]));
    assert!(outcome.is_err(), "a file above its exception was let through");
    hold("files", &[("a".to_owned(), 25)], 20, &[("a", 30)]);
}
