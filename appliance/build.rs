//! Bundles the reading-station application, `web/dist`, into the binary: a table of path, media type, entity tag and
//! gzip bytes. Never calls npm; without a build the table is empty and the root page names the command to run.

use std::io::Write;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest, Sha256};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let dist = Path::new("web/dist");
    println!("cargo::rerun-if-changed=web/dist");
    let out = PathBuf::from(std::env::var("OUT_DIR")?);
    let mut files = Vec::new();
    if dist.is_dir() {
        collect(dist, &mut files)?;
    } else {
        println!(
            "cargo::warning=web/dist is missing: the box will serve no application; run `make web` first"
        );
    }
    files.sort();
    let mut table = String::from("static SHELL: &[ShellFile] = &[\n");
    for (number, file) in files.iter().enumerate() {
        println!("cargo::rerun-if-changed={}", file.display());
        let bytes = std::fs::read(file)?;
        let gz_path = out.join(format!("shell-{number}.gz"));
        let mut gz = GzEncoder::new(Vec::new(), Compression::best());
        gz.write_all(&bytes)?;
        std::fs::write(&gz_path, gz.finish()?)?;
        let name = file.strip_prefix(dist)?.to_str().ok_or("a file name in web/dist is not UTF-8")?;
        let tag: String = Sha256::digest(&bytes)[..12].iter().map(|byte| format!("{byte:02x}")).collect();
        table.push_str(&format!(
            "    ShellFile {{ path: {name:?}, media_type: {:?}, tag: \"\\\"{tag}\\\"\", gzip: include_bytes!({gz_path:?}) }},\n",
            media_type(file)
        ));
    }
    table.push_str("];\n");
    std::fs::write(out.join("shell.rs"), table)?;
    Ok(())
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() { collect(&path, files)? } else { files.push(path) }
    }
    Ok(())
}

fn media_type(path: &Path) -> &'static str {
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("json" | "webmanifest") => "application/json",
        Some("woff2") => "font/woff2",
        _ => "application/octet-stream",
    }
}
