//! A responder together with what must live as long as it: the wire to its target.

use std::net::IpAddr;

use async_trait::async_trait;
use stanch_model::port::Responder;
use stanch_model::{Action, ActionKind, Failure, Observed};

/// A responder whose wire to its target may be cut.
pub(crate) struct Wired<R, W> {
    device: R,
    _wire: W,
}

impl<R, W> Wired<R, W> {
    pub(crate) fn new(device: R, wire: W) -> Wired<R, W> {
        Wired { device, _wire: wire }
    }
}

#[async_trait]
impl<R: Responder, W: Send + Sync> Responder for Wired<R, W> {
    fn name(&self) -> &str {
        self.device.name()
    }

    fn simulated(&self) -> bool {
        self.device.simulated()
    }

    fn expires_by_itself(&self) -> bool {
        self.device.expires_by_itself()
    }

    fn management_addresses(&self) -> Vec<IpAddr> {
        self.device.management_addresses()
    }

    fn can(&self, kind: &ActionKind) -> bool {
        self.device.can(kind)
    }

    async fn capture(&self, action: &Action) -> Result<Option<String>, Failure> {
        self.device.capture(action).await
    }

    async fn perform(&self, action: &Action) -> Result<Observed, Failure> {
        self.device.perform(action).await
    }

    async fn renew(&self, action: &Action) -> Result<Observed, Failure> {
        self.device.renew(action).await
    }

    async fn verify(&self, action: &Action) -> Result<Observed, Failure> {
        self.device.verify(action).await
    }

    async fn revert(&self, action: &Action) -> Result<Observed, Failure> {
        self.device.revert(action).await
    }
}
