//! Putting one provider in the place of another, in a configuration or for a process that runs.

use std::sync::Arc;

use crate::config::{ConfigError, Preopen, WasiConfig};
use crate::provider::divert::{Diversion, DivertedDirectory};
use crate::provider::{Clock, Input, Output, Random};

/// One provider that takes another's place.
#[derive(Clone)]
pub enum Replacement {
    /// Descriptor 0.
    Stdin(Arc<dyn Input>),
    /// Descriptor 1.
    Stdout(Arc<dyn Output>),
    /// Descriptor 2.
    Stderr(Arc<dyn Output>),
    /// Both clocks. The monotonic one goes on from where it was.
    Clock(Arc<dyn Clock>),
    /// Random numbers.
    Random(Arc<dyn Random>),
    /// All variables of this name: they have this value, or are not there.
    Variable(String, Option<String>),
    /// Names in all directories that were given.
    Files(Arc<dyn Diversion>),
    /// The directory of this name, or one more.
    Directory(Preopen),
}

impl WasiConfig {
    /// Lets a replacement take the place of what was there.
    ///
    /// # Errors
    /// A variable or directory that the configuration cannot hold; nothing is changed then.
    pub fn replace(&mut self, replacement: &Replacement) -> Result<(), ConfigError> {
        match replacement {
            Replacement::Stdin(stdin) => self.set_stdin(stdin.clone()),
            Replacement::Stdout(stdout) => self.set_stdout(stdout.clone()),
            Replacement::Stderr(stderr) => self.set_stderr(stderr.clone()),
            Replacement::Clock(clock) => self.set_clock(clock.clone()),
            Replacement::Random(random) => self.set_random(random.clone()),
            Replacement::Variable(name, value) => {
                let mut changed = self.clone();
                changed.clear_env();
                let others = self.env().iter().filter(|(known, _)| known != name).cloned();
                let new = value.iter().map(|value| (name.clone(), value.clone()));
                for (name, value) in others.chain(new) {
                    changed.push_env(name, value)?;
                }
                *self = changed;
            }
            Replacement::Files(diversion) => self.divert(diversion)?,
            Replacement::Directory(new) => {
                let mut preopens = self.preopens().to_vec();
                match preopens.iter_mut().find(|old| old.guest_name() == new.guest_name()) {
                    Some(old) => *old = new.clone(),
                    None => preopens.push(new.clone()),
                }
                self.set_preopens(preopens)?;
            }
        }
        Ok(())
    }

    fn divert(&mut self, diversion: &Arc<dyn Diversion>) -> Result<(), ConfigError> {
        let diverted = self.preopens().iter().map(|preopen| {
            let (name, inner) = (preopen.guest_name(), preopen.directory().clone());
            let directory = DivertedDirectory::over(inner, name, diversion.clone());
            Preopen::new(name, directory, preopen.access())
        });
        let diverted = diverted.collect::<Result<_, _>>()?;
        self.set_preopens(diverted)
    }

    fn set_preopens(&mut self, preopens: Vec<Preopen>) -> Result<(), ConfigError> {
        let mut changed = self.clone();
        changed.clear_preopens();
        for preopen in preopens {
            changed.push_preopen(preopen)?;
        }
        *self = changed;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::capture::Capture;
    use crate::provider::scripted::ScriptedClock;
    use crate::table::Wasi;

    #[test]
    fn a_variable_takes_the_place_of_all_of_its_name() {
        let mut config = WasiConfig::default();
        for (name, value) in [("A", "1"), ("B", "2"), ("A", "3")] {
            config.push_env(name, value).unwrap();
        }
        let new = Replacement::Variable("A".to_owned(), Some("4".to_owned()));
        config.replace(&new).unwrap();
        let expected = [("B", "2"), ("A", "4")].map(|(n, v)| (n.to_owned(), v.to_owned()));
        assert_eq!(config.env(), expected);
        config.replace(&Replacement::Variable("B".to_owned(), None)).unwrap();
        assert_eq!(config.env(), &expected[1..]);
        let bad = Replacement::Variable("A".to_owned(), Some("\0".to_owned()));
        assert!(config.replace(&bad).is_err());
        assert_eq!(config.env(), &expected[1..]);
    }

    #[test]
    fn the_monotonic_time_goes_on_with_another_clock() {
        let mut config = WasiConfig::default();
        config.set_clock(Arc::new(ScriptedClock::stepped(1_000, 10)));
        let mut wasi = Wasi::new(&config);
        assert_eq!([wasi.elapsed(), wasi.elapsed()], [0, 10]);
        wasi.replace(&Replacement::Clock(Arc::new(ScriptedClock::stepped(5, 1)))).unwrap();
        assert_eq!([wasi.elapsed(), wasi.elapsed()], [20, 21]);
        assert_eq!(wasi.deadline(30), 5 + 10);
    }

    #[test]
    fn a_stream_leads_elsewhere_wherever_its_descriptor_was_moved() {
        let mut wasi = Wasi::new(&WasiConfig::default());
        wasi.renumber(1, 2).unwrap();
        let capture: Arc<dyn Output> = Arc::new(Capture::new(100));
        wasi.replace(&Replacement::Stdout(capture.clone())).unwrap();
        let crate::table::Object::Output(output, _) = &wasi.get(2).unwrap().object else {
            panic!("2 is an output")
        };
        assert!(Arc::ptr_eq(output, &capture));
    }
}
