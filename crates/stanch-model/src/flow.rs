//! A record of traffic: context, not a claim that something is wrong. OCSF *Network Activity* (4001).

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::Timestamp;

/// One connection, as a flow sensor saw it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flow {
    /// When it began.
    pub time: Timestamp,
    /// Who opened it.
    pub src: IpAddr,
    /// Who was reached.
    pub dst: IpAddr,
    /// The port reached; 0 where the protocol has none.
    pub dst_port: u16,
    /// `tcp`, `udp`, … in lower case.
    pub protocol: String,
    /// Bytes from `src` to `dst`.
    pub bytes_out: u64,
    /// Bytes from `dst` to `src`.
    pub bytes_in: u64,
    /// True when both sides spoke.
    pub established: bool,
}
