//! What counts in an account for as long as it lives: memory, what is open, and the process itself.

use std::sync::Arc;

use super::{Account, Counter, OverBudget};

/// Memory that counts in an account until this is dropped.
pub struct Charged {
    account: Option<Arc<Account>>,
    bytes: u64,
}

impl Charged {
    /// Counts so many bytes, where there is an account.
    pub fn new(account: Option<&Arc<Account>>, bytes: usize) -> Result<Charged, OverBudget> {
        let bytes = bytes as u64;
        account.map_or(Ok(()), |account| account.charge_memory(bytes))?;
        Ok(Charged { account: account.cloned(), bytes })
    }
}

impl Drop for Charged {
    fn drop(&mut self) {
        if let Some(account) = &self.account {
            account.release_memory(self.bytes);
        }
    }
}

/// A place for something that is open: a socket, a file, a database. It counts for who opened it,
/// wherever it is used, until this is dropped.
pub struct OpenDescriptor(Option<Arc<Account>>);

impl OpenDescriptor {
    /// A place in the account of who opens something, where there is an account.
    ///
    /// # Errors
    /// If a budget has none left.
    pub fn new(account: Option<&Arc<Account>>) -> Result<OpenDescriptor, OverBudget> {
        account.map_or(Ok(()), |account| account.charge(Counter::Descriptors, 1))?;
        Ok(OpenDescriptor(account.cloned()))
    }
}

impl Drop for OpenDescriptor {
    fn drop(&mut self) {
        if let Some(account) = &self.0 {
            account.discharge(Counter::Descriptors, 1);
        }
    }
}

/// A process's place in its accounts, which it leaves at its end, or when it never begins.
pub(crate) struct Membership(pub(crate) Arc<Account>);

impl Drop for Membership {
    fn drop(&mut self) {
        self.0.leave();
    }
}
