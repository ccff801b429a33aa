//! The CPU time of another process.

use std::{fs, io};

/// The unit of the times in `/proc/PID/stat`, whatever the kernel's own clock.
const TICKS_PER_SECOND: f64 = 100.0;
/// `utime` and `stime` are the fields 14 and 15 of `stat` (proc(5)); this counts from the third, behind the name.
const USER_TIME: usize = 11;

/// Seconds that all threads of a process have spent so far, user and system.
///
/// # Errors
/// If there is no such process.
pub fn seconds(pid: u32) -> io::Result<f64> {
    let path = format!("/proc/{pid}/stat");
    let stat = fs::read_to_string(&path)?;
    ticks(&stat).map(|ticks| ticks as f64 / TICKS_PER_SECOND).ok_or_else(|| io::Error::other(format!("{path}: {stat}")))
}

fn ticks(stat: &str) -> Option<u64> {
    // The name may contain anything, parentheses and spaces too.
    let (_, fields) = stat.rsplit_once(')')?;
    let mut times = fields.split_ascii_whitespace().skip(USER_TIME).map(|field| field.parse::<u64>().ok());
    Some(times.next()?? + times.next()??)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_times_are_read_behind_any_name() {
        let stat = "7 (a) b (c) S 1 7 7 0 -1 4194560 100 0 0 0 250 50 9 9 20 0 1 0 5 0 0";
        assert_eq!(ticks(stat), Some(300));
        assert_eq!(ticks("7 (a) S 1"), None);
    }

    #[test]
    fn work_takes_time() {
        let pid = std::process::id();
        let before = seconds(pid).unwrap();
        while seconds(pid).unwrap() < before + 0.02 {}
        assert!(seconds(u32::MAX).is_err());
    }
}
