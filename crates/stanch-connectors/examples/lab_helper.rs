//! Plays the hosts of a lab in this crate's own tests. See `stanch_connectors::responder::lab`.

use std::process::ExitCode;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    stanch_connectors::responder::lab::helper_main(&args)
}
