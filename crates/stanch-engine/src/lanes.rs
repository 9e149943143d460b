//! Changes wait in front of their device, a few at a time go in, and one that a kill switch has overtaken
//! turns back at the door.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Changes under way at once on one device. Those that have begun when a kill switch is engaged finish, so
/// this is how many can still come after it.
const AT_ONCE: usize = 4;

/// One lane for each device.
#[derive(Clone, Default)]
pub(crate) struct Lanes(Arc<Mutex<BTreeMap<String, Arc<Semaphore>>>>);

impl Lanes {
    /// Waits for room on this device. None only while the process ends.
    pub(crate) async fn enter(&self, responder: &str) -> Option<OwnedSemaphorePermit> {
        let lane = {
            let mut lanes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            lanes.entry(responder.to_owned()).or_insert_with(|| Arc::new(Semaphore::new(AT_ONCE))).clone()
        };
        lane.acquire_owned().await.ok()
    }
}
