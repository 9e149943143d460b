//! Plays the hosts of a lab in this crate's own tests. See `stanch_connectors::responder::lab`.
//!
//! `lab_helper make INSIDE OUTSIDE` builds a lab, prints the name of its firewall's namespace, and
//! keeps the lab until it is killed: for the test that a lab vanishes with its process.

use std::io::Write;
use std::process::ExitCode;

use stanch_connectors::responder::lab::{Lab, LabPlan, helper_main};

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.as_slice() {
        [verb, inside, outside] if verb == "make" => match make(inside, outside) {
            Ok(()) => ExitCode::SUCCESS,
            Err(why) => {
                // Nobody may be listening any more.
                let _ = writeln!(std::io::stderr(), "{why}");
                ExitCode::FAILURE
            }
        },
        _ => helper_main(&args),
    }
}

fn make(inside: &str, outside: &str) -> Result<(), Box<dyn std::error::Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let helper = vec![std::env::current_exe()?.into()];
        let lab = Lab::create(LabPlan { inside: inside.parse()?, outside: outside.parse()?, helper }).await?;
        writeln!(std::io::stdout(), "{}", lab.firewall_ns())?;
        std::future::pending::<()>().await;
        lab.remove();
        Ok(())
    })
}
