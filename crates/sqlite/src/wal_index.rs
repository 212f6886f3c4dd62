//! The index of a write-ahead log: memory that all connections of this node to a database share,
//! and the slots by which SQLite orders who reads and writes in it.
//!
//! It goes with the last connection that uses the log; the next one builds it anew from the log.

use std::collections::BTreeMap;
use std::ffi::c_int;
use std::ops::Range;
use std::ptr::NonNull;

use libsqlite3_sys as sqlite;

use crate::ffi::region::Region;
use crate::limits::WAL_REGIONS_MAX;

/// Slots that can be locked.
const SLOTS: usize = sqlite::SQLITE_SHM_NLOCK as usize;

/// What a connection holds: one bit for each slot.
#[derive(Default)]
struct Held {
    shared: u8,
    exclusive: u8,
}

#[derive(Default)]
pub(crate) struct WalIndex {
    regions: Vec<Region>,
    users: BTreeMap<u64, Held>,
}

impl WalIndex {
    pub(crate) fn in_use(&self) -> bool {
        !self.users.is_empty()
    }

    pub(crate) fn is_used_by(&self, connection: u64) -> bool {
        self.users.contains_key(&connection)
    }

    pub(crate) fn join(&mut self, connection: u64) {
        self.users.insert(connection, Held::default());
    }

    pub(crate) fn leave(&mut self, connection: u64) {
        self.users.remove(&connection);
        if self.users.is_empty() {
            self.regions.clear();
        }
    }

    /// The address of a region, which stays where it is until the last user leaves.
    pub(crate) fn map(
        &mut self,
        region: usize,
        extend: bool,
    ) -> Result<Option<NonNull<u8>>, c_int> {
        if region >= self.regions.len() && !extend {
            return Ok(None);
        }
        if region >= WAL_REGIONS_MAX {
            return Err(sqlite::SQLITE_IOERR_SHMSIZE);
        }
        while self.regions.len() <= region {
            self.regions.push(Region::new().ok_or(sqlite::SQLITE_NOMEM)?);
        }
        Ok(Some(self.regions[region].address()))
    }

    /// Locks or unlocks slots, all or none.
    pub(crate) fn lock(
        &mut self,
        connection: u64,
        slots: Range<usize>,
        flags: c_int,
    ) -> Result<(), c_int> {
        if slots.is_empty() || slots.end > SLOTS {
            return Err(sqlite::SQLITE_IOERR_SHMLOCK);
        }
        let mask = slots.fold(0_u8, |mask, slot| mask | 1 << slot);
        let (mut shared, mut exclusive) = (0, 0);
        for (other, held) in &self.users {
            if *other != connection {
                shared |= held.shared;
                exclusive |= held.exclusive;
            }
        }
        let Some(own) = self.users.get_mut(&connection) else {
            return Err(sqlite::SQLITE_IOERR_SHMLOCK);
        };
        if flags & sqlite::SQLITE_SHM_UNLOCK != 0 {
            own.shared &= !mask;
            own.exclusive &= !mask;
        } else if flags & sqlite::SQLITE_SHM_SHARED != 0 {
            if exclusive & mask != 0 {
                return Err(sqlite::SQLITE_BUSY);
            }
            own.shared |= mask;
        } else {
            if (shared | exclusive) & mask != 0 {
                return Err(sqlite::SQLITE_BUSY);
            }
            own.exclusive |= mask;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TAKE: c_int = sqlite::SQLITE_SHM_LOCK;
    const GIVE: c_int = sqlite::SQLITE_SHM_UNLOCK;
    const SHARED: c_int = sqlite::SQLITE_SHM_SHARED;
    const EXCLUSIVE: c_int = sqlite::SQLITE_SHM_EXCLUSIVE;

    #[test]
    fn a_region_keeps_its_address_while_others_come() {
        let mut index = WalIndex::default();
        index.join(1);
        assert_eq!(index.map(0, false), Ok(None));
        let first = index.map(0, true);
        assert!(matches!(index.map(70, true), Ok(Some(_))));
        assert_eq!(index.map(0, false), first);
        assert_eq!(index.map(WAL_REGIONS_MAX, true), Err(sqlite::SQLITE_IOERR_SHMSIZE));
        index.leave(1);
        index.join(2);
        assert_eq!(index.map(0, false), Ok(None));
    }

    #[test]
    fn slots_outside_of_the_table_and_strangers_are_refused() {
        let mut index = WalIndex::default();
        assert!(index.lock(1, 0..1, TAKE | SHARED).is_err());
        index.join(1);
        assert!(index.lock(1, 0..9, TAKE | EXCLUSIVE).is_err());
        assert!(index.lock(1, 3..3, TAKE | EXCLUSIVE).is_err());
    }

    proptest! {
        // The law: a slot that one has exclusively nobody else has at all.
        #[test]
        fn an_exclusive_slot_has_one_holder(
            steps in proptest::collection::vec((0_u64..3, 0_usize..8, 1_usize..4, 0..3), 1..200)
        ) {
            let mut index = WalIndex::default();
            (0..3).for_each(|user| index.join(user));
            for (user, from, count, kind) in steps {
                let slots = from..(from + count).min(SLOTS);
                let held = &index.users[&user];
                // SQLite does not go from one kind of lock to the other without giving back.
                let has_any = slots.clone().any(|s| (held.shared | held.exclusive) >> s & 1 == 1);
                let flags = match kind {
                    0 => GIVE | SHARED,
                    1 => TAKE | SHARED,
                    _ => TAKE | EXCLUSIVE,
                };
                if kind == 0 || !has_any {
                    let _ = index.lock(user, slots, flags);
                }
                for slot in 0..SLOTS {
                    let count = |bits: fn(&Held) -> u8| {
                        index.users.values().filter(|held| bits(held) >> slot & 1 == 1).count()
                    };
                    let (shared, exclusive) = (count(|h| h.shared), count(|h| h.exclusive));
                    prop_assert!(exclusive == 0 || (exclusive, shared) == (1, 0));
                }
            }
        }
    }
}
