//! The data path of the proxy, for Python to configure, watch and stop.

use std::collections::HashMap;
use std::net::TcpListener;
use std::os::fd::{FromRawFd, IntoRawFd};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use metaprotocol_core::AnyCodec;
use metaprotocol_proxy::Proxy as Workers;
use metaprotocol_proxy::balance::Usable;
use metaprotocol_proxy::config::{FilterConfig, Health};
use metaprotocol_proxy::filter::Filter;
use metaprotocol_proxy::snapshot::Makers;
use pyo3::exceptions::{PyOSError, PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};

use crate::codec::NativeCodec;
use crate::filter::{FilterJob, Jobs, PyFilter};

type Codecs = Arc<Mutex<HashMap<String, Arc<dyn AnyCodec>>>>;

/// A running proxy.
#[pyclass(module = "metaprotocol._native", frozen)]
pub struct Proxy {
    workers: Mutex<Option<Workers>>,
    codecs: Codecs,
    jobs: HashMap<String, Arc<Jobs>>,
}

const NO_TIME: &str = "a time must be a number of seconds, not negative";

fn stopped() -> PyErr {
    PyRuntimeError::new_err("the proxy was stopped")
}

impl Proxy {
    fn with<T>(&self, act: impl FnOnce(&mut Workers) -> PyResult<T>) -> PyResult<T> {
        let mut workers = self.workers.lock().unwrap_or_else(PoisonError::into_inner);
        act(workers.as_mut().ok_or_else(stopped)?)
    }
}

#[pymethods]
impl Proxy {
    #[new]
    fn new(workers: usize, filters: HashMap<String, bool>) -> PyResult<Self> {
        let codecs = Codecs::default();
        let jobs: HashMap<String, Arc<Jobs>> = filters.keys().map(|name| (name.clone(), Arc::default())).collect();
        let known = Arc::clone(&codecs);
        let codec = move |name: &str| {
            let known = known.lock().unwrap_or_else(PoisonError::into_inner);
            known.get(name).map(Arc::clone).ok_or_else(|| format!("no codec {name:?} was handed over"))
        };
        let waiting = jobs.clone();
        let filter = move |config: &FilterConfig| {
            let (Some(responses), Some(jobs)) = (filters.get(&config.name), waiting.get(&config.name)) else {
                return Err(format!("there is no filter {:?}", config.name));
            };
            Ok(Arc::new(PyFilter { responses: *responses, jobs: Arc::clone(jobs) }) as Arc<dyn Filter>)
        };
        let makers = Makers { codecs: Box::new(codec), filters: Box::new(filter) };
        let workers = Workers::start(workers, makers).map_err(|error| PyOSError::new_err(error.to_string()))?;
        Ok(Self { workers: Mutex::new(Some(workers)), codecs, jobs })
    }

    fn next_job(&self, py: Python<'_>, filter: &str, timeout: f64) -> PyResult<Option<FilterJob>> {
        let jobs =
            self.jobs.get(filter).ok_or_else(|| PyValueError::new_err(format!("there is no filter {filter:?}")))?;
        jobs.job(py, Duration::try_from_secs_f64(timeout).map_err(|_| PyValueError::new_err(NO_TIME))?)
    }

    #[pyo3(signature = (update, codecs))]
    fn update(&self, py: Python<'_>, update: &str, codecs: HashMap<String, PyRef<'_, NativeCodec>>) -> PyResult<()> {
        self.codecs
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .extend(codecs.iter().map(|(name, codec)| (name.clone(), Arc::clone(&codec.codec))));
        drop(codecs);
        py.detach(|| {
            let update = serde_json::from_str(update).map_err(|error| PyValueError::new_err(error.to_string()))?;
            self.with(|workers| workers.update(update).map_err(|error| PyValueError::new_err(error.to_string())))
        })
    }

    fn addresses(&self, py: Python<'_>) -> PyResult<HashMap<String, String>> {
        let read = |workers: &mut Workers| {
            let addresses = workers.addresses();
            Ok(addresses.into_iter().map(|(name, address)| (name.to_string(), address.to_string())).collect())
        };
        py.detach(|| self.with(read))
    }

    fn listener_stats<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let all = py.detach(|| self.with(|workers| Ok(workers.listener_stats())))?;
        let result = PyDict::new(py);
        for (name, (totals, times)) in all {
            let row = PyDict::new(py);
            for (counter, count) in totals {
                row.set_item(counter, count)?;
            }
            row.set_item("request_time_ms", (times.buckets.to_vec(), times.sum_us as f64 / 1000.0))?;
            result.set_item(&*name, row)?;
        }
        Ok(result)
    }

    fn cluster_stats<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let all = py.detach(|| self.with(|workers| Ok(workers.cluster_stats())))?;
        let result = PyDict::new(py);
        for (name, totals) in all {
            let row = PyDict::new(py);
            for (counter, count) in totals {
                row.set_item(counter, count)?;
            }
            result.set_item(&*name, row)?;
        }
        Ok(result)
    }

    fn hosts<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let snapshot = py.detach(|| self.with(|workers| Ok(workers.snapshot())))?;
        let result = PyDict::new(py);
        for (name, cluster) in &snapshot.clusters {
            let rows = PyList::empty(py);
            for member in cluster.hosts.members() {
                let row = PyDict::new(py);
                let (host, load) = (&member.host, std::sync::atomic::Ordering::Relaxed);
                row.set_item("address", host.address.to_string())?;
                row.set_item("hostname", &member.hostname)?;
                row.set_item("priority", member.priority)?;
                row.set_item("weight", member.weight)?;
                row.set_item("place", member.place.to_vec())?;
                let health = match member.health {
                    Health::Healthy => "healthy",
                    Health::Degraded => "degraded",
                    Health::Unhealthy => "unhealthy",
                    Health::Draining => "draining",
                };
                row.set_item("eds_health", health)?;
                row.set_item("usable", member.usable() != Usable::No)?;
                row.set_item("ejected", host.ejected())?;
                row.set_item("check_failed", host.check_failed())?;
                row.set_item("rq_active", host.active())?;
                row.set_item("rq_total", host.sum(|requests| &requests.rq_total))?;
                row.set_item("rq_success", host.sum(|requests| &requests.rq_success))?;
                row.set_item("rq_error", host.sum(|requests| &requests.rq_error))?;
                row.set_item("rq_timeout", host.sum(|requests| &requests.rq_timeout))?;
                row.set_item("cx_total", host.stats.cx_total.load(load))?;
                row.set_item("cx_active", host.stats.cx_active.load(load))?;
                row.set_item("cx_connect_fail", host.stats.cx_connect_fail.load(load))?;
                rows.append(row)?;
            }
            result.set_item(&**name, rows)?;
        }
        Ok(result)
    }

    fn checked(&self, py: Python<'_>, cluster: &str, address: &str, good: bool) -> PyResult<bool> {
        let address = address.parse().map_err(|_| PyValueError::new_err(format!("{address:?} is no ip:port")))?;
        py.detach(|| {
            self.with(|workers| {
                let snapshot = workers.snapshot();
                let Some(cluster) = snapshot.clusters.get(cluster) else { return Ok(false) };
                let Some(member) = cluster.hosts.member(address) else { return Ok(false) };
                cluster.hosts.checked(&member.host, good, workers.now());
                Ok(true)
            })
        })
    }

    fn inherit(&self, py: Python<'_>, name: String, descriptors: Vec<i32>) -> PyResult<()> {
        if let Some(bad) = descriptors.iter().find(|descriptor| **descriptor < 0) {
            return Err(PyValueError::new_err(format!("{bad} is no descriptor")));
        }
        #[allow(unsafe_code, reason = "descriptors are numbers in Python")]
        // SAFETY: the caller gives them away, as its documentation demands.
        let own = |descriptor| unsafe { TcpListener::from_raw_fd(descriptor) };
        let sockets: Vec<TcpListener> = descriptors.into_iter().map(own).collect();
        py.detach(|| {
            self.with(|workers| {
                workers.inherit(name, sockets);
                Ok(())
            })
        })
    }

    fn disinherit(&self, py: Python<'_>) -> PyResult<()> {
        py.detach(|| {
            self.with(|workers| {
                workers.disinherit();
                Ok(())
            })
        })
    }

    fn sockets(&self, py: Python<'_>) -> PyResult<HashMap<String, Vec<i32>>> {
        py.detach(|| {
            self.with(|workers| {
                let sockets = workers.sockets().map_err(|error| PyOSError::new_err(error.to_string()))?;
                let given = |(name, sockets): (Arc<str>, Vec<TcpListener>)| {
                    (name.to_string(), sockets.into_iter().map(IntoRawFd::into_raw_fd).collect())
                };
                Ok(sockets.into_iter().map(given).collect())
            })
        })
    }

    fn drain(&self, py: Python<'_>, patience: f64) -> PyResult<()> {
        let patience = Duration::try_from_secs_f64(patience)
            .map_err(|_| PyValueError::new_err("patience must be a number of seconds, not negative"))?;
        py.detach(|| {
            self.with(|workers| {
                workers.drain(patience);
                Ok(())
            })
        })
    }

    fn stop(&self, py: Python<'_>, drain_timeout: f64) -> PyResult<bool> {
        let timeout = Duration::try_from_secs_f64(drain_timeout).map_err(|_| PyValueError::new_err(NO_TIME))?;
        py.detach(|| {
            let taken = self.workers.lock().unwrap_or_else(PoisonError::into_inner).take();
            let clean = taken.is_none_or(|mut workers| timeout.is_zero() || workers.shut_down(timeout));
            self.jobs.values().for_each(|jobs| jobs.close());
            Ok(clean)
        })
    }
}

/// The hash that Envoy shows versions by: xxHash64 with seed 0.
#[pyfunction]
pub fn xxh64(data: &[u8]) -> u64 {
    xxhash_rust::xxh64::xxh64(data, 0)
}
