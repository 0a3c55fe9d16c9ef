//! The tracked sources as the house rules see them: paths, text, tokens.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::str::FromStr;

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// One file of the repository.
pub(crate) struct Source {
    /// From the repository's root, with forward slashes.
    pub(crate) path: String,
    pub(crate) text: String,
}

/// The repository's root.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().expect("tests/ lies in the repository's root").to_path_buf()
}

/// Every text file that git tracks or would track.
pub(crate) fn all() -> Vec<Source> {
    let listed = output("git", &["ls-files", "--cached", "--others", "--exclude-standard", "-z"]);
    let paths = listed.split('\0').filter(|path| !path.is_empty());
    // A file that is listed but gone was just deleted; one that is not UTF-8 is a picture.
    paths
        .filter_map(|path| {
            let text = std::fs::read_to_string(root().join(path)).ok()?;
            Some(Source { path: path.to_owned(), text })
        })
        .collect()
}

/// The Rust files among them.
pub(crate) fn rust() -> Vec<Source> {
    let files: Vec<Source> = all().into_iter().filter(|source| source.path.ends_with(".rs")).collect();
    assert!(files.len() > 20, "only {} Rust files found: is this the repository?", files.len());
    files
}

/// Standard output of a program run in the root, which must succeed.
pub(crate) fn output(program: &str, arguments: &[&str]) -> String {
    let run = Command::new(program).args(arguments).current_dir(root()).output();
    let run = run.unwrap_or_else(|why| panic!("{program}: {why}"));
    let error = String::from_utf8_lossy(&run.stderr);
    assert!(run.status.success(), "{program} {arguments:?}: {error}");
    String::from_utf8_lossy(&run.stdout).into_owned()
}

/// The cargo that runs this test.
pub(crate) fn cargo(arguments: &[&str]) -> String {
    output(&std::env::var("CARGO").unwrap_or_else(|_| "cargo".into()), arguments)
}

impl Source {
    /// All tokens in a row, groups flattened, comments gone.
    pub(crate) fn tokens(&self) -> Vec<String> {
        let stream = TokenStream::from_str(&self.text).unwrap_or_else(|why| panic!("{}: {why}", self.path));
        let mut tokens = Vec::new();
        flatten(stream, &mut tokens);
        tokens
    }

    pub(crate) fn lines(&self) -> usize {
        self.text.lines().count()
    }

    /// Whether a path into the package appears: `package::...` or `use package`.
    pub(crate) fn uses(&self, package: &str) -> bool {
        let tokens = self.tokens();
        tokens.iter().enumerate().any(|(index, token)| {
            let before = |n: usize| index.checked_sub(n).map(|i| tokens[i].as_str());
            let after = |n: usize| tokens.get(index + n).map(String::as_str);
            let leads_on = after(1) == Some(":") && after(2) == Some(":");
            // `other::package::x` is not ours, `::package::x` is.
            let inner = before(1) == Some(":") && before(3).is_some_and(is_word);
            token == package && !inner && (leads_on || before(1) == Some("use"))
        })
    }

    /// First segments of all paths that begin with `crate::`, grouped imports included.
    pub(crate) fn own_modules_named(&self) -> Vec<String> {
        let tokens = self.tokens();
        let mut found = Vec::new();
        for (index, window) in tokens.windows(4).enumerate() {
            let [krate, colon, colon_too, next] = window else { continue };
            if krate != "crate" || colon != ":" || colon_too != ":" {
                continue;
            }
            if next == "{" {
                found.extend(group_heads(&tokens[index + 3..]));
            } else {
                found.push(next.clone());
            }
        }
        found
    }
}

fn is_word(token: &str) -> bool {
    token.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

/// The names right behind `{` or `,` at the outer level of the group that `tokens` starts with.
fn group_heads(tokens: &[String]) -> Vec<String> {
    let mut depth = 0;
    let mut heads = Vec::new();
    for (index, token) in tokens.iter().enumerate() {
        match token.as_str() {
            "{" => depth += 1,
            "}" => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            break;
        }
        if depth == 1 && (token == "{" || token == ",") {
            heads.extend(tokens.get(index + 1).filter(|next| is_word(next)).cloned());
        }
    }
    heads
}

fn flatten(stream: TokenStream, tokens: &mut Vec<String>) {
    for tree in stream {
        match tree {
            TokenTree::Group(group) => {
                let (open, close) = match group.delimiter() {
                    Delimiter::Parenthesis => ("(", ")"),
                    Delimiter::Brace => ("{", "}"),
                    Delimiter::Bracket => ("[", "]"),
                    Delimiter::None => ("", ""),
                };
                tokens.push(open.into());
                flatten(group.stream(), tokens);
                tokens.push(close.into());
            }
            TokenTree::Ident(ident) => tokens.push(ident.to_string()),
            TokenTree::Punct(punct) => tokens.push(punct.as_char().into()),
            TokenTree::Literal(literal) => tokens.push(literal.to_string()),
        }
    }
}

#[test]
fn the_rules_see_what_a_compiler_sees() {
    let source = |text: &str| Source { path: "example.rs".into(), text: text.into() };
    assert!(source("use sled::Db;").uses("sled"));
    assert!(source("fn f() { ::sled::open() }").uses("sled"));
    assert!(source("use sled as s;").uses("sled"));
    assert!(!source("// sled::Db\n/* use sled; */ fn sled() {}").uses("sled"));
    assert!(!source("use crate::store::sled::Engine;").uses("sled"));
    let grouped = source("use crate::{clock::Clock, store::{Study, Tree}, viewer};");
    assert_eq!(grouped.own_modules_named(), ["clock", "store", "viewer"]);
    assert_eq!(source("fn f() -> crate::intake::Door {}").own_modules_named(), ["intake"]);
}
