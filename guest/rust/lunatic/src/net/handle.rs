//! What is the same for all sockets: a handle is a number, which is let go when it is dropped, and
//! moves in messages as a resource; timeouts, addresses, and the traits of std.

/// What is the same for all handles: one number, let go when dropped, sent as a resource.
macro_rules! handle {
    ($name:ident, $drop:path, $push:path, $take:path $(, clone $clone:path)?) => {
        impl $name {
            pub(super) fn from_id(id: u64) -> $name {
                $name { id: core::cell::Cell::new(id) }
            }

            pub(super) fn id(&self) -> std::io::Result<u64> {
                match self.id.get() {
                    $crate::net::GONE => Err($crate::net::gone()),
                    id => Ok(id),
                }
            }
        }

        impl $name {
            /// Moves it into the message that is being written; gives its index there.
            pub(crate) fn push(&self) -> std::io::Result<u64> {
                if !$crate::message::is_encoding() {
                    let text = "a socket can only be written to a message";
                    return Err(std::io::Error::other(text));
                }
                match self.id.replace($crate::net::GONE) {
                    $crate::net::GONE => Err($crate::net::gone()),
                    // SAFETY: a message is being written, and the id is this handle's.
                    id => Ok(unsafe { $push(id) }),
                }
            }
        }

        $(
            /// The same socket again.
            impl Clone for $name {
                fn clone(&self) -> $name {
                    match self.id.get() {
                        $crate::net::GONE => $name::from_id($crate::net::GONE),
                        // SAFETY: the id is this handle's.
                        id => $name::from_id(unsafe { $clone(id) }),
                    }
                }
            }
        )?

        impl Drop for $name {
            fn drop(&mut self) {
                if self.id.get() != $crate::net::GONE {
                    // SAFETY: the id is this handle's, and is not used again.
                    unsafe { $drop(self.id.get()) }
                }
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                use serde::ser::Error;
                serializer.serialize_u32(self.push().map_err(S::Error::custom)? as u32)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(
                deserializer: D,
            ) -> Result<$name, D::Error> {
                let index = <u32 as serde::Deserialize>::deserialize(deserializer)?;
                // SAFETY: a message is being read.
                let taken = $crate::message::take_resource(index, |index| unsafe { $take(index) });
                taken.map($name::from_id)
            }
        }
    };
}

/// A timeout of a socket: how it is set and read.
macro_rules! timeout {
    ($what:literal, $set:ident = $host_set:path, $get:ident = $host_get:path) => {
        #[doc = concat!("How long ", $what, " waits, for all clones; `None` is for ever.")]
        ///
        /// # Errors
        ///
        /// If the socket was sent away.
        pub fn $set(&self, timeout: Option<std::time::Duration>) -> std::io::Result<()> {
            // SAFETY: no pointers.
            unsafe { $host_set(self.id()?, $crate::net::milliseconds(timeout)) };
            Ok(())
        }

        #[doc = concat!("How long ", $what, " waits; `None` is for ever.")]
        ///
        /// # Errors
        ///
        /// If the socket was sent away.
        pub fn $get(&self) -> std::io::Result<Option<std::time::Duration>> {
            // SAFETY: no pointers.
            Ok($crate::net::duration(unsafe { $host_get(self.id()?) }))
        }
    };
}

/// An address of a socket.
macro_rules! address {
    ($text:literal, $get:ident = $host_get:path) => {
        #[doc = $text]
        ///
        /// # Errors
        ///
        /// If there is none, and what the system says.
        pub fn $get(&self) -> std::io::Result<std::net::SocketAddr> {
            let id = self.id()?;
            // SAFETY: the place has eight bytes.
            let found = $crate::net::call(|result| unsafe { $host_get(id, result) })?;
            $crate::net::address::address(found)
        }
    };
}

/// Std's traits for a stream and for a reference to it.
macro_rules! stream {
    ($name:ident, $read:path, $write:path, $flush:path) => {
        impl std::io::Read for &$name {
            fn read(&mut self, place: &mut [u8]) -> std::io::Result<usize> {
                let id = self.id()?;
                // SAFETY: the place has the length that is given.
                let count = $crate::net::call(|result| unsafe {
                    $read(id, place.as_mut_ptr(), place.len(), result)
                })?;
                Ok(count as usize)
            }
        }

        impl std::io::Write for &$name {
            fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
                self.write_vectored(&[std::io::IoSlice::new(bytes)])
            }

            fn write_vectored(
                &mut self,
                slices: &[std::io::IoSlice<'_>],
            ) -> std::io::Result<usize> {
                let id = self.id()?;
                // SAFETY: a slice of WASI is a pointer and a length, as the ABI wants them.
                let count = $crate::net::call(|result| unsafe {
                    $write(id, slices.as_ptr().cast(), slices.len(), result)
                })?;
                Ok(count as usize)
            }

            fn flush(&mut self) -> std::io::Result<()> {
                let id = self.id()?;
                // SAFETY: the place has eight bytes.
                $crate::net::call(|result| unsafe { $flush(id, result) })?;
                Ok(())
            }
        }

        impl std::io::Read for $name {
            fn read(&mut self, place: &mut [u8]) -> std::io::Result<usize> {
                (&*self).read(place)
            }
        }

        impl std::io::Write for $name {
            fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
                (&*self).write(bytes)
            }

            fn write_vectored(
                &mut self,
                slices: &[std::io::IoSlice<'_>],
            ) -> std::io::Result<usize> {
                (&*self).write_vectored(slices)
            }

            fn flush(&mut self) -> std::io::Result<()> {
                (&*self).flush()
            }
        }
    };
}

pub(super) use {address, handle, stream, timeout};
