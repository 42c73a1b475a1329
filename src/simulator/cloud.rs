//! The simulated cloud as all its services share it: the world, the faults, the tokens and the counters.

use crate::clock::Clock;
use crate::simulator::{
    Error,
    faults::{Effects, Faults, Strike},
    files::Store,
    front::Call,
    scenario::{RestStyle, Scenario},
    tokens::Tokens,
    urls::Urls,
    world::{Present, World},
};
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tonic::{Request, Status};

/// What the services share. Its locks are held for the length of a look or a change, never across an await.
#[derive(Debug)]
pub(crate) struct Cloud {
    pub(crate) clock: Clock,
    pub(crate) tokens: Tokens,
    pub(crate) urls: Urls,
    /// What discovery answers; `None` is the authority that the caller used.
    pub(crate) advertised: Option<String>,
    world: Mutex<World>,
    faults: Mutex<Faults>,
    calls: Mutex<BTreeMap<String, u64>>,
    store: Mutex<Store>,
    rest_style: Mutex<RestStyle>,
}

/// A call that the faults let live: it may be answered.
#[derive(Debug)]
pub(crate) struct LiveCall {
    /// Who calls.
    pub(crate) caller: String,
    pub(crate) authority: String,
    pub(crate) effects: Effects,
    pub(crate) present: Present,
    /// The idempotency key with the method it was sent to.
    pub(crate) key: Option<String>,
}

/// Methods that are counted: a caller that makes names up must not fill the memory.
const METHODS_MAX: usize = 1000;

impl Cloud {
    pub(crate) fn new(
        scenario: &Scenario,
        clock: Clock,
        http_authority: String,
        advertised: Option<String>,
    ) -> Result<Self, Error> {
        let start_at = clock.now();
        Ok(Self {
            clock,
            tokens: Tokens::new(&scenario.auth)?,
            urls: Urls::new(http_authority),
            advertised,
            world: Mutex::new(World::new(scenario, start_at)?),
            faults: Mutex::new(Faults::new(scenario.faults.clone(), scenario.speed, start_at)),
            calls: Mutex::new(BTreeMap::new()),
            store: Mutex::new(Store::default()),
            rest_style: Mutex::new(scenario.rest),
        })
    }

    /// The world as it is now.
    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        let mut world = self.world.lock().unwrap_or_else(PoisonError::into_inner);
        world.advance(self.clock.now());
        world
    }

    pub(crate) fn faults(&self) -> MutexGuard<'_, Faults> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn store(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn rest_style(&self) -> MutexGuard<'_, RestStyle> {
        self.rest_style.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn calls(&self) -> MutexGuard<'_, BTreeMap<String, u64>> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a call, whatever becomes of it.
    pub(crate) fn count(&self, method: &str) {
        let mut calls = self.calls();
        if let Some(count) = calls.get_mut(method) {
            *count += 1;
        } else if calls.len() < METHODS_MAX {
            calls.insert(method.to_owned(), 1);
        }
    }

    /// Lets the scripted faults strike a call about these ids, and tells how to answer it if they let it live.
    pub(crate) async fn admit<T: Sync>(
        &self,
        request: &Request<T>,
        ids: &[&str],
    ) -> Result<LiveCall, Status> {
        let call = request.extensions().get::<Call>().cloned().unwrap_or_default();
        let subjects = if self.faults().ask_for_subjects() {
            self.world().subjects(ids)
        } else {
            Vec::new()
        };
        let (strikes, effects) = self.faults().meet(&call.method, &subjects, self.clock.now());
        for strike in strikes {
            match strike {
                Strike::Delay(length) => tokio::time::sleep(length).await,
                Strike::Refuse { code, message } => return Err(Status::new(code.into(), message)),
                Strike::RevokeTokens => {
                    self.tokens.revoke_all();
                    self.check_token(&call)?;
                }
                Strike::Reset => {
                    if let Some(cut) = &call.cut {
                        cut.cut();
                    }
                    return Err(Status::unavailable("Connection reset"));
                }
            }
        }
        let present = Present {
            now: self.clock.now(),
            skew_nanos: effects.skew_nanos,
        };
        let key = request
            .metadata()
            .get("idempotency-key")
            .and_then(|key| key.to_str().ok());
        Ok(LiveCall {
            key: key.map(|key| format!("{} {key}", call.method)),
            caller: call.caller,
            authority: call.authority,
            effects,
            present,
        })
    }

    fn check_token(&self, call: &Call) -> Result<(), Status> {
        call.checked(self).map(|_| ())
    }
}
