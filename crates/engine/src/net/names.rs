//! Looking up names: on threads of their own, so many at once.
//!
//! The system cannot be told to stop. So a look-up that nobody waits for any more counts until it
//! is done, for the node and for the process that asked.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::vec::IntoIter;

use tokio::sync::Semaphore;

/// Names that the system looks up at once for all processes.
const LOOKUPS_MAX: usize = 128;

/// What answers "host:port" with addresses; may block for as long as it likes.
pub type LookUp = Arc<dyn Fn(&str) -> io::Result<Vec<SocketAddr>> + Send + Sync>;

/// The look-ups of a runtime.
pub(crate) struct Names {
    look_up: LookUp,
    all: Arc<Semaphore>,
}

impl Names {
    /// Without a way of its own, it asks the system.
    pub(crate) fn new(look_up: Option<LookUp>) -> Names {
        let system: LookUp = Arc::new(|name| Ok(name.to_socket_addrs()?.collect()));
        Names { look_up: look_up.unwrap_or(system), all: Arc::new(Semaphore::new(LOOKUPS_MAX)) }
    }

    /// The addresses of a name; literal ones are there at once. `own` is what the process may have
    /// looked up at once, closed if it may look up nothing.
    pub(crate) fn look_up(
        &self,
        own: Arc<Semaphore>,
        name: String,
    ) -> impl Future<Output = io::Result<IntoIter<SocketAddr>>> + Send + use<> {
        let (look_up, all) = (self.look_up.clone(), self.all.clone());
        async move {
            if let Ok(address) = name.parse::<SocketAddr>() {
                return Ok(vec![address].into_iter());
            }
            let own = own.acquire_owned().await.map_err(|_| {
                io::Error::other("this process may look up no names: its lookups_max is 0")
            })?;
            let all = all.acquire_owned().await.map_err(io::Error::other)?;
            let task = tokio::task::spawn_blocking(move || {
                let _turns = (own, all);
                look_up(&name)
            });
            task.await.map_err(io::Error::other)?.map(Vec::into_iter)
        }
    }
}
