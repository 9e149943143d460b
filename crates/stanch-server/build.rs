//! Puts the console into the program: builds it where Node is, and writes down what there is.
//!
//! A release build makes the console anew when its sources have changed. A debug build takes what lies
//! in `ui/dist` and builds only when nothing does, so that the edit loop of the server never waits for
//! it: `cargo xtask ui` builds it anew. Without Node the program is built all the same, and its first
//! page says what is missing. `STANCH_CONSOLE=off` leaves the console out.

#[path = "build_console.rs"]
mod console;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

fn main() {
    let here = PathBuf::from(std::env::var("CARGO_MANIFEST_DIR").unwrap_or_default());
    let out = PathBuf::from(std::env::var("OUT_DIR").unwrap_or_default());
    let ui = here.join("../../ui");
    println!("cargo::rerun-if-env-changed=STANCH_CONSOLE");
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=build_console.rs");
    let missing = match wanted(&ui) {
        Ok(()) => String::new(),
        Err(why) => {
            println!("cargo::warning=the console is not in this build: {why}");
            why
        }
    };
    let assets = if missing.is_empty() { console::assets(&ui.join("dist")) } else { Vec::new() };
    let text = table(&assets, &missing);
    if let Err(e) = std::fs::write(out.join("console_assets.rs"), text) {
        println!("cargo::error=console_assets.rs cannot be written: {e}");
    }
}

/// Makes sure that there is something to embed.
fn wanted(ui: &Path) -> Result<(), String> {
    if std::env::var("STANCH_CONSOLE").is_ok_and(|v| v == "off") {
        return Err("STANCH_CONSOLE=off was set".to_owned());
    }
    if !ui.join("package.json").is_file() {
        return Err("its sources (the folder ui/) are not there".to_owned());
    }
    let dist = ui.join("dist");
    // A folder that is watched has to exist, or cargo would build everything anew each time.
    std::fs::create_dir_all(&dist).map_err(|e| format!("ui/dist cannot be made: {e}"))?;
    println!("cargo::rerun-if-changed={}", dist.display());
    let release = std::env::var("PROFILE").is_ok_and(|p| p == "release");
    let built = dist.join("index.html.br").is_file();
    if release {
        for watched in console::SOURCES {
            println!("cargo::rerun-if-changed={}", ui.join(watched).display());
        }
    }
    if built && (!release || !console::stale(ui)) {
        return Ok(());
    }
    match console::build(ui) {
        Ok(()) => Ok(()),
        Err(why) if built => {
            println!("cargo::warning=the console in ui/dist is older than its sources: {why}");
            Ok(())
        }
        Err(why) => Err(why),
    }
}

fn table(assets: &[console::Asset], missing: &str) -> String {
    let mut text = String::from("pub(super) static ASSETS: &[Asset] = &[\n");
    for a in assets {
        let _ = writeln!(
            text,
            "    Asset {{ path: {:?}, kind: {:?}, etag: \"\\\"{:016x}\\\"\", br: include_bytes!({:?}), gz: include_bytes!({:?}) }},",
            a.path,
            a.kind,
            a.hash,
            a.file.with_added_extension("br"),
            a.file.with_added_extension("gz")
        );
    }
    let _ = writeln!(text, "];\npub(super) static MISSING: &str = {missing:?};");
    text
}
