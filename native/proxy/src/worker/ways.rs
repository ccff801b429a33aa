//! Where messages go: by which route, to which cluster and to which host of it.
//!
//! Routes and hosts are all workers' together, and so are the counts of who refers to them. What is handed on with every
//! message refers to them through a pointer of this worker's own: two workers that count at one place are slower than one.

use std::net::SocketAddr;
use std::ops::Deref;
use std::rc::Rc;
use std::sync::Arc;

use metaprotocol_core::{ErrorType, Frame, Head, Reason};

use super::downstream::Protocol;
use super::hosts::Refusal;
use super::serve::INCOMPLETE;
use super::{Due, Id, Worker};
use crate::balance::{Host, HostSet};
use crate::route::{Chosen, Message, Route, Table};

/// Where a message goes.
pub struct Way {
    pub route: Taken,
    pub group: usize,
    pub host: Picked,
    /// By which hash the host was picked, where hosts are.
    pub hash: Option<u64>,
}

/// Why a message goes nowhere.
pub enum Stop {
    /// It is answered with this error.
    Error(ErrorType, &'static str),
    /// What decides has not come yet.
    More,
}

/// The routes of one codec at one listener, and for each cluster that they name the position of it.
pub struct Routes {
    pub table: Arc<Table>,
    pub groups: Vec<Option<usize>>,
}

/// A route that a message takes.
#[derive(Clone)]
pub struct Taken {
    routes: Rc<Routes>,
    number: usize,
}

impl Taken {
    /// The route that was found among these.
    pub fn new(routes: &Rc<Routes>, route: &Route) -> Self {
        Self { routes: Rc::clone(routes), number: route.number }
    }
}

impl Deref for Taken {
    type Target = Route;

    #[inline]
    fn deref(&self) -> &Route {
        // It was found there, and tables do not change.
        &self.routes.table.routes()[self.number]
    }
}

/// The hosts of a cluster.
pub struct Hosts(pub Arc<HostSet>);

/// The host of a connection.
pub struct Node(pub Arc<Host>);

impl Deref for Node {
    type Target = Arc<Host>;

    #[inline]
    fn deref(&self) -> &Arc<Host> {
        &self.0
    }
}

/// A host that a message goes to.
pub enum Picked {
    /// This member of the set.
    Member(Rc<Hosts>, usize),
    /// That of a connection which is there.
    Connected(Rc<Node>),
    /// One that was not picked among the members.
    Known(Arc<Host>),
}

impl Deref for Picked {
    type Target = Arc<Host>;

    #[inline]
    fn deref(&self) -> &Arc<Host> {
        match self {
            // The place is one of that set's.
            Self::Member(hosts, member) => &hosts.0.members()[*member].host,
            Self::Connected(node) => node,
            Self::Known(host) => host,
        }
    }
}

impl Stop {
    /// What the client is told.
    pub const fn said(self) -> Refusal {
        match self {
            Self::Error(error, message) => (error, message),
            Self::More => INCOMPLETE,
        }
    }
}

/// What a client is told, whose connection ends then, that has one for itself and asks for what another host has. Nothing of it
/// must go to the wrong one, nor what is said behind it.
pub const ELSEWHERE: Refusal = (
    ErrorType::BadRequest,
    "meta protocol router: by its hash this belongs to another host than the one that this connection is tied to",
);

impl Worker {
    /// Where a message goes; of a long one the beginning will do if what decides is in it.
    pub(super) fn way(&mut self, id: Id, head: &Head, bytes: &[u8]) -> Result<Way, Stop> {
        const UNKNOWN: Stop =
            Stop::Error(ErrorType::ClusterNotFound, "meta protocol router: the route's cluster is not known");
        const NO_ROUTE: Stop = Stop::Error(ErrorType::RouteNotFound, "meta protocol router: no route matches");
        let client = self.clients.get_mut(id.at as usize).ok_or(Stop::More)?;
        let Protocol::Known(codec, _) = &client.protocol else { return Err(Stop::More) };
        let local = self.listeners.get(client.listener).ok_or(Stop::More)?;
        let routes = local.routes(codec).ok_or(NO_ROUTE)?;
        let unreadable = |error: metaprotocol_core::DecodeError| {
            let beyond = matches!(error.reason, Reason::UnexpectedEnd { .. }) && bytes.len() < head.frame_len;
            if beyond {
                Stop::More
            } else {
                Stop::Error(ErrorType::BadRequest, "meta protocol router: the message cannot be read")
            }
        };
        let frame = Frame { head: *head, bytes };
        let mut message =
            Message::new((***codec).as_ref(), frame, &local.listener.limits, &local.extra, &mut self.scratch);
        let route = routes.table.find(&mut message).map_err(unreadable)?.ok_or(NO_ROUTE)?;
        let chosen = route.target.cluster(&mut message, || self.random.next()).map_err(unreadable)?.ok_or(UNKNOWN)?;
        let group = match chosen {
            Chosen::Known(cluster) => routes.groups.get(cluster.number).copied().flatten(),
            Chosen::Named(name) => self.by_name.get(&*name).copied(),
        };
        let hash = route.hash.hash(&mut message).map_err(unreadable)?;
        drop(message);
        let route = Taken::new(routes, route);
        let (at, own) = group.and_then(|at| Some((at, self.groups.get_mut(at)?))).ok_or(UNKNOWN)?;
        if own.cluster.config.maintenance {
            own.stats.upstream_rq_maintenance_mode.add(1);
            return Err(Stop::Error(
                ErrorType::NoHealthyUpstream,
                "meta protocol router: the cluster is in maintenance mode",
            ));
        }
        let hash = hash.filter(|_| own.picker.set().hashes());
        // Who has its connection already needs no other host.
        let bound = || {
            let known = |id: &Id| self.hosts.get(id.at as usize).filter(|host| host.serial == id.serial);
            let lines = client.lines.iter().filter(|_| client.in_flight > 0 && hash.is_none());
            let mut hosts = client.bound.iter().chain(lines).filter_map(known);
            hosts.find(|host| host.group == at)
        };
        let bound = if codec.multiplexed { None } else { bound() };
        if let Some(bound) = bound
            && hash.is_some_and(|hash| bound.hash != Some(hash))
            && own.pick(hash, self.now).is_some_and(|host| !Arc::ptr_eq(&host, &bound.host.0))
        {
            return Err(Stop::Error(ELSEWHERE.0, ELSEWHERE.1));
        }
        let bound = bound.map(|host| Rc::clone(&host.host));
        let bound_already = bound.is_some();
        let host = if bound_already {
            bound.map(Picked::Connected)
        } else if own.cluster.config.original_dst {
            original_address(&client.socket).map(|address| {
                if own.originals.is_empty() {
                    self.timers.set(self.now + own.cluster.config.cleanup_interval.max(1), Due::Originals(at));
                }
                let host = || Arc::new(Host::new(address, self.workers, self.now));
                Picked::Known(Arc::clone(own.originals.entry(address).or_insert_with(host)))
            })
        } else {
            own.pick(hash, self.now)
        };
        let Some(host) = host else {
            own.stats.upstream_cx_none_healthy.add(1);
            return Err(Stop::Error(ErrorType::NoHealthyUpstream, "meta protocol router: no healthy upstream"));
        };
        let chosen = bound_already || self.leaving.is_empty();
        let host = if chosen { host } else { Picked::Known(self.staying(at, &host)) };
        Ok(Way { route, group: at, host, hash })
    }
}

/// Where a redirected client wanted to go.
fn original_address(socket: &mio::net::TcpStream) -> Option<SocketAddr> {
    let socket = socket2::SockRef::from(socket);
    socket.original_dst_v4().or_else(|_| socket.original_dst_v6()).ok()?.as_socket()
}
