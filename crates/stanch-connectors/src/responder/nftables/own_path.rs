//! The path on which we ourselves are reached, looked at around each block.
//!
//! A block that cuts it is put in place on trial, with a short timer of the device's own; it gets its
//! real time only after the path was seen to work. Whatever happens to us in between, the device
//! lets go by itself. Source: SEC-60.

use std::net::SocketAddr;
use std::time::Duration;

use async_trait::async_trait;

/// Whether we can still be reached, or reach what we need.
#[async_trait]
pub trait OwnPath: Send + Sync {
    /// True when it works now. Must answer within a few seconds.
    async fn is_open(&self) -> bool;
    /// In words, for the person who reads why a block was taken back.
    fn words(&self) -> String;
}

/// TCP connections from here: chat, directory, the gateway's own address. All must open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TcpPaths {
    /// Where to.
    pub to: Vec<SocketAddr>,
    /// How long one connection may take.
    pub within: Duration,
}

#[async_trait]
impl OwnPath for TcpPaths {
    async fn is_open(&self) -> bool {
        for at in &self.to {
            let connect = tokio::time::timeout(self.within, tokio::net::TcpStream::connect(at));
            if !matches!(connect.await, Ok(Ok(_))) {
                return false;
            }
        }
        true
    }

    fn words(&self) -> String {
        self.to.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
    }
}
