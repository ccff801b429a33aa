//! Hosts that fail are left out for a while.

use std::sync::PoisonError;
use std::sync::atomic::{AtomicU64, Ordering};

use super::{Host, HostSet};
use crate::config::Outliers;

/// What came of a request or of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A good answer.
    Success,
    /// An answer that says it failed, or a connection lost before the answer.
    Failure,
    /// A connection was made. It says nothing of requests: where failures to connect don't count by themselves, it is not
    /// counted.
    Connected,
    /// A connection could not be made.
    ConnectFailed,
    /// A connection or an answer came too late.
    Timeout,
}

/// Counters of a cluster, in Envoy's names below `outlier_detection.`.
#[derive(Debug, Default)]
pub struct Ejections {
    /// `ejections_enforced_total`: hosts left out.
    pub enforced_total: AtomicU64,
    /// `ejections_overflow`: hosts not left out since too many are.
    pub overflow: AtomicU64,
    /// `ejections_detected_consecutive_5xx`.
    pub detected_consecutive_5xx: AtomicU64,
    /// `ejections_enforced_consecutive_5xx`.
    pub enforced_consecutive_5xx: AtomicU64,
    /// `ejections_detected_consecutive_local_origin_failure`.
    pub detected_consecutive_local_origin_failure: AtomicU64,
    /// `ejections_enforced_consecutive_local_origin_failure`.
    pub enforced_consecutive_local_origin_failure: AtomicU64,
}

/// Why a host is left out.
#[derive(Clone, Copy)]
enum Cause {
    Failures,
    LocalFailures,
}

/// Outlier detection as Envoy's `outlier_detection_impl.cc` has it, of consecutive failures.
impl HostSet {
    /// Heeds what came of a request or a connection to a host of this set. `now` is in milliseconds of the clock that all
    /// calls use. Cheap unless the host changes its state.
    pub fn report(&self, host: &Host, outcome: Outcome, now: u64) {
        let Some(outliers) = &self.outliers else { return };
        let Some(local) = outliers.consecutive_local_failures else {
            return match outcome {
                Outcome::Success => forget(&host.failures),
                Outcome::Connected => {}
                Outcome::Failure | Outcome::ConnectFailed | Outcome::Timeout => {
                    self.count(host, outliers, Cause::Failures, outliers.consecutive_failures, now);
                }
            };
        };
        match outcome {
            Outcome::Success => {
                forget(&host.failures);
                forget(&host.local_failures);
            }
            Outcome::Connected => forget(&host.local_failures),
            Outcome::Failure => self.count(host, outliers, Cause::Failures, outliers.consecutive_failures, now),
            Outcome::ConnectFailed | Outcome::Timeout => {
                self.count(host, outliers, Cause::LocalFailures, local, now);
            }
        }
    }

    fn count(&self, host: &Host, outliers: &Outliers, cause: Cause, most: u32, now: u64) {
        let failures = match cause {
            Cause::Failures => &host.failures,
            Cause::LocalFailures => &host.local_failures,
        };
        if most > 0 && failures.fetch_add(1, Ordering::Relaxed) + 1 == most {
            self.eject(host, outliers, cause, now);
            // Counted from anew, whether it was left out or too many others are.
            forget(failures);
        }
    }

    fn eject(&self, host: &Host, outliers: &Outliers, cause: Cause, now: u64) {
        let _one_at_a_time = self.shared.swept.lock().unwrap_or_else(PoisonError::into_inner);
        let known = self.members.iter().any(|member| std::ptr::eq(&*member.host, host));
        if !known || host.ejected() {
            return;
        }
        let ejections = &self.shared.ejections;
        let (detected, enforced) = match cause {
            Cause::Failures => (&ejections.detected_consecutive_5xx, &ejections.enforced_consecutive_5xx),
            Cause::LocalFailures => (
                &ejections.detected_consecutive_local_origin_failure,
                &ejections.enforced_consecutive_local_origin_failure,
            ),
        };
        detected.fetch_add(1, Ordering::Relaxed);
        let out = self.ejected();
        let percent = 100.0 * (out + 1) as f64 / self.members.len() as f64;
        let allowed = percent <= f64::from(outliers.max_ejection_percent.min(100));
        if !(allowed || outliers.always_one && out == 0) {
            ejections.overflow.fetch_add(1, Ordering::Relaxed);
            return;
        }
        enforced.fetch_add(1, Ordering::Relaxed);
        ejections.enforced_total.fetch_add(1, Ordering::Relaxed);
        let base = outliers.base_ejection_time;
        let mut times = host.backoff.load(Ordering::Relaxed);
        if base.saturating_mul(times.into()) < outliers.max_ejection_time.saturating_add(base) {
            times += 1;
            host.backoff.store(times, Ordering::Relaxed);
        }
        let time = base.saturating_mul(times.into()).min(outliers.max_ejection_time);
        host.ejected_until.store(now.saturating_add(time), Ordering::Release);
        self.changed();
    }

    /// Takes back the hosts whose time is over. It does so once in the configured interval, however often it is called and
    /// by how many workers.
    pub fn sweep(&self, now: u64) {
        let Some(outliers) = &self.outliers else { return };
        let mut swept = self.shared.swept.lock().unwrap_or_else(PoisonError::into_inner);
        if now.saturating_sub(*swept) < outliers.interval {
            return;
        }
        *swept = now;
        let mut changed = false;
        for host in self.members.iter().map(|member| &*member.host) {
            let until = host.ejected_until.load(Ordering::Relaxed);
            if until != 0 && until <= now {
                take_back(host, now);
                changed = true;
            }
            let returned = host.returned_at.load(Ordering::Relaxed);
            if !host.ejected() && returned != 0 && now.saturating_sub(returned) >= outliers.interval {
                // It has been good for a while: the next time is shorter again.
                let times = host.backoff.load(Ordering::Relaxed);
                host.backoff.store(times.saturating_sub(1), Ordering::Relaxed);
            }
        }
        if changed {
            self.changed();
        }
    }

    /// Heeds what an active check says of a host of this set. A good result also takes back a host that was left out.
    pub fn checked(&self, host: &Host, good: bool, now: u64) {
        let _one_at_a_time = self.shared.swept.lock().unwrap_or_else(PoisonError::into_inner);
        let failed = host.check_failed.swap(!good, Ordering::AcqRel);
        let mut changed = failed == good;
        if failed && good {
            host.warm_since.store(now, Ordering::Relaxed);
        }
        if good && host.ejected() {
            take_back(host, now);
            changed = true;
        }
        if changed {
            self.changed();
        }
    }

    /// How many hosts are left out now (`ejections_active`).
    #[must_use]
    pub fn ejected(&self) -> usize {
        self.members.iter().filter(|member| member.host.ejected()).count()
    }

    /// The counters of hosts that were left out.
    #[must_use]
    pub fn ejections(&self) -> &Ejections {
        &self.shared.ejections
    }
}

/// Without a write where nothing is to change: workers report successes of the same host all the time.
fn forget(failures: &std::sync::atomic::AtomicU32) {
    if failures.load(Ordering::Relaxed) != 0 {
        failures.store(0, Ordering::Relaxed);
    }
}

fn take_back(host: &Host, now: u64) {
    forget(&host.failures);
    forget(&host.local_failures);
    host.returned_at.store(now.max(1), Ordering::Relaxed);
    host.ejected_until.store(0, Ordering::Release);
}
