//! From alert to contained, explained incident: the program `stanch`.
//!
//! Reading order: [`cli`] (what may be typed) → `cmd` (a file for each verb) → [`client`] (how it
//! asks) → [`output`] (the only place that prints) → [`exit`] (how it ends).

#![allow(unreachable_pub, reason = "a program has no outside")]

mod cli;
mod client;
mod cmd;
mod demo;
mod eval;
mod exit;
mod find;
mod local;
mod output;

use std::process::ExitCode;

use zeroizing_alloc::ZeroAlloc;

/// Alerts are taken apart on one thread and let go on another, which costs glibc's allocator twice
/// what the work itself does: 14 µs of CPU an alert at 512 a request, against 7.4 with this one
/// (`cargo xtask bench intake`, 2026-11-22, two shared cores). What is freed is overwritten first, so that nothing
/// that came in a request stays in buffers of libraries (SEC-42; ADR 0032).
#[global_allocator]
static ALLOCATOR: ZeroAlloc<mimalloc::MiMalloc> = ZeroAlloc(mimalloc::MiMalloc);

fn main() -> ExitCode {
    let (ctx, cli) = match cli::parse() {
        Ok(parsed) => parsed,
        // Prints help to stdout and mistakes to stderr; exits with 0 or 2.
        Err(error) => error.exit(),
    };
    let mut builder = if cli.is_busy() {
        tokio::runtime::Builder::new_multi_thread()
    } else {
        tokio::runtime::Builder::new_current_thread()
    };
    let runtime = match builder.enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return ExitCode::from(ctx.out.failure(&error.into()).code()),
    };
    let exit = runtime.block_on(cli::run(cli, &ctx)).unwrap_or_else(|error| ctx.out.failure(&error));
    runtime.shutdown_background();
    let exit = if ctx.out.broken() && exit == exit::Exit::Ok { exit::Exit::Failed } else { exit };
    ExitCode::from(exit.code())
}
