//! Answers made on the spot: the response of the request's version, its defaults, and an error code wherever it has a place
//! for one. Lists of a response name what the lists of its request name.
//!
//! Which code an error becomes is decided by what real clients make of it: upstream trouble is something that they try again
//! after they have looked up leaders or coordinators anew, and everything else tells the application.

use metaprotocol_core::{
    Cursor, DecodeError, EncodeError, ErrorType, Frame, Kind, Limits, Reply, protobuf::push_varint,
};

use crate::fields;
use crate::rewrite::write_text;
use crate::schema::{self, Op, Role, Struct, What};
use crate::walk;
use crate::wire::{API_VERSIONS, MAX_TEXT_LEN, REQUEST_ID_AT, SIZE_LEN, UNSUPPORTED_VERSION, is_flexible_response};

/// How long a client that goes over a limit is held back, in milliseconds.
const THROTTLE_MS: i32 = 1000;

/// What names an element of a list.
const NAMES: u32 = Role::Topic.bit()
    | Role::TopicId.bit()
    | Role::Partition.bit()
    | Role::Group.bit()
    | Role::Transactional.bit()
    | Role::Key.bit()
    | Role::Member.bit()
    | Role::Instance.bit()
    | Role::ResourceName.bit()
    | Role::ResourceType.bit();

pub fn reply(request: Frame<'_>, reply: Reply<'_>) -> Result<Option<Vec<u8>>, EncodeError> {
    let no = |why: &'static str| Err(EncodeError::NoReply { why: why.into() });
    let (error, message) = match (request.head.kind, reply) {
        (Kind::Request, Reply::Error(error, message)) => (error, message),
        (Kind::Oneway, Reply::Error(..)) => return Ok(None),
        (Kind::Request | Kind::Oneway, Reply::Heartbeat) => {
            return no("connections of Kafka have no heartbeats; that API is about members of groups");
        }
        (Kind::Control, _) => return no("a token of a SASL exchange is answered by whoever checks it"),
        _ => return no("this is a response, not a request"),
    };
    let Some((api, version)) = fields::api(&request) else { return no("this is a response, not a request") };
    let code = match (schema::response(api, version), code(api, error)) {
        (Some(_), Some(code)) => code,
        (None, _) if api == API_VERSIONS => UNSUPPORTED_VERSION,
        (None, _) => return no("the codec does not know this version of the API; close the connection instead"),
        (Some(_), None) => {
            return no("a client takes any error of SASL for a failed login; close the connection instead");
        }
    };
    // Every client reads a refusal in version 0, and some no other.
    let version = if api == API_VERSIONS { 0 } else { version };
    let (Some(body), Some(asked)) = (schema::response(api, version), schema::request(api, version)) else {
        return no("the codec does not know this version of the API; close the connection instead");
    };
    let id = request.bytes.get(REQUEST_ID_AT..REQUEST_ID_AT + 4).unwrap_or_default();
    let mut out = vec![0; SIZE_LEN];
    out.extend_from_slice(id);
    if is_flexible_response(api, version) {
        out.push(0);
    }
    let limits = Limits::default();
    let throttle = if error == ErrorType::OverLimit { THROTTLE_MS } else { 0 };
    let message = shortened(message);
    let mut writer = Writer { bytes: request.bytes, limits, code, throttle, message, out, told: false };
    let begins = if fields::body(&request).is_some() { Some((asked, request.head.header_len as usize)) } else { None };
    writer.structure(body, begins)?;
    if !writer.told {
        return no("the response to this request has no place for an error; close the connection instead");
    }
    let mut out = writer.out;
    let size = ((out.len() - SIZE_LEN) as u32).to_be_bytes();
    out.splice(..SIZE_LEN, size);
    Ok(Some(out))
}

/// As much of a message as a text can hold.
fn shortened(message: &str) -> &str {
    let mut end = message.len().min(MAX_TEXT_LEN);
    while !message.is_char_boundary(end) {
        end -= 1;
    }
    message.get(..end).unwrap_or_default()
}

mod code {
    //! Error codes by their numbers.
    pub const UNKNOWN_SERVER_ERROR: i16 = -1;
    pub const UNKNOWN_TOPIC_OR_PARTITION: i16 = 3;
    pub const LEADER_NOT_AVAILABLE: i16 = 5;
    pub const NOT_LEADER_OR_FOLLOWER: i16 = 6;
    pub const REQUEST_TIMED_OUT: i16 = 7;
    pub const NETWORK_EXCEPTION: i16 = 13;
    pub const COORDINATOR_LOAD_IN_PROGRESS: i16 = 14;
    pub const COORDINATOR_NOT_AVAILABLE: i16 = 15;
    pub const NOT_COORDINATOR: i16 = 16;
    pub const TOPIC_AUTHORIZATION_FAILED: i16 = 29;
    pub const GROUP_AUTHORIZATION_FAILED: i16 = 30;
    pub const CLUSTER_AUTHORIZATION_FAILED: i16 = 31;
    pub const UNSUPPORTED_SASL_MECHANISM: i16 = 33;
    pub const INVALID_REQUEST: i16 = 42;
    pub const TRANSACTIONAL_ID_AUTHORIZATION_FAILED: i16 = 53;
    pub const SASL_AUTHENTICATION_FAILED: i16 = 58;
    pub const THROTTLING_QUOTA_EXCEEDED: i16 = 89;
}

/// What an API is about, as far as its errors go.
#[derive(Clone, Copy, PartialEq, Eq)]
enum About {
    Produce,
    /// Reading from partitions: clients know a short list of codes, and throw at any other.
    Fetch,
    /// Other questions to the leader of a partition.
    Leader,
    Metadata,
    Group,
    Transaction,
    /// Topics that are made or removed, which brokers limit by quotas.
    Topics,
    SaslHandshake,
    SaslAuthenticate,
    Cluster,
}

const fn about(api: i16) -> About {
    match api {
        0 => About::Produce,
        1 | 78 | 79 => About::Fetch,
        2 | 21 | 23 | 61 => About::Leader,
        3 | 75 => About::Metadata,
        8..=16 | 42 | 47 | 68 | 69 | 76 | 77 | 88..=92 => About::Group,
        22 | 24..=26 | 28 | 65 | 66 => About::Transaction,
        19 | 20 | 37 => About::Topics,
        17 => About::SaslHandshake,
        36 => About::SaslAuthenticate,
        _ => About::Cluster,
    }
}

/// What has a client look its coordinator up anew. Where none is asked it is another code: those APIs look one up, or list
/// what all of them have. A member that cannot know where to begin to read asks again only while its coordinator loads:
/// librdkafka leaves the partitions alone after any other code, aiokafka its group.
const fn coordinator(api: i16) -> i16 {
    match api {
        9 => code::COORDINATOR_LOAD_IN_PROGRESS,
        10 | 16 | 66 => code::COORDINATOR_NOT_AVAILABLE,
        _ => code::NOT_COORDINATOR,
    }
}

/// The code that tells a client of this API what happened; `None` where every code would tell something else.
fn code(api: i16, error: ErrorType) -> Option<i16> {
    let about = about(api);
    Some(match error {
        ErrorType::Denied => match about {
            About::Produce | About::Fetch | About::Leader | About::Metadata | About::Topics => {
                code::TOPIC_AUTHORIZATION_FAILED
            }
            About::Group => code::GROUP_AUTHORIZATION_FAILED,
            About::Transaction => code::TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
            About::SaslHandshake => code::UNSUPPORTED_SASL_MECHANISM,
            About::SaslAuthenticate => code::SASL_AUTHENTICATION_FAILED,
            About::Cluster => code::CLUSTER_AUTHORIZATION_FAILED,
        },
        _ if matches!(about, About::SaslHandshake | About::SaslAuthenticate) => return None,
        ErrorType::BadRequest => match about {
            About::Fetch => code::UNKNOWN_SERVER_ERROR,
            _ => code::INVALID_REQUEST,
        },
        ErrorType::RouteNotFound | ErrorType::ClusterNotFound => match about {
            About::Produce | About::Fetch | About::Leader | About::Metadata => code::UNKNOWN_TOPIC_OR_PARTITION,
            About::Group | About::Transaction => coordinator(api),
            _ => code::NETWORK_EXCEPTION,
        },
        ErrorType::OverLimit if about == About::Topics => code::THROTTLING_QUOTA_EXCEEDED,
        ErrorType::Timeout | ErrorType::OverLimit
            if matches!(about, About::Produce | About::Topics | About::Cluster) =>
        {
            code::REQUEST_TIMED_OUT
        }
        // The records may have been stored all the same.
        ErrorType::UpstreamReset if about == About::Produce => code::REQUEST_TIMED_OUT,
        _ => match about {
            About::Produce | About::Fetch | About::Leader => code::NOT_LEADER_OR_FOLLOWER,
            About::Metadata => code::LEADER_NOT_AVAILABLE,
            About::Group | About::Transaction => coordinator(api),
            _ => code::NETWORK_EXCEPTION,
        },
    })
}

/// A struct of the request, and where it begins.
type Asked = Option<(&'static Struct, usize)>;

/// A response on its way.
struct Writer<'r> {
    /// The request.
    bytes: &'r [u8],
    limits: Limits,
    code: i16,
    throttle: i32,
    message: &'r str,
    out: Vec<u8>,
    /// True once the code stands somewhere.
    told: bool,
}

impl<'r> Writer<'r> {
    fn structure(&mut self, structure: &Struct, asked: Asked) -> Result<(), EncodeError> {
        // A list of a response is as long as that of its request, whose elements may be shorter.
        if self.out.len() as u64 > self.limits.max_frame_len {
            return Err(EncodeError::TooLong { len: self.out.len() as u64, max: self.limits.max_frame_len });
        }
        for op in structure.ops {
            match op.what {
                What::Fixed { len, default } => self.number(op, schema::default(default, len), asked)?,
                What::Text => self.text(op, asked)?,
                What::Bytes => self.length(op, (!op.null_default).then_some(0)),
                What::Struct(inner) => self.structure(Struct::get(inner), None)?,
                What::Maybe(_) => self.out.push(0xff),
                What::Array(inner) => self.array(op, Struct::get(inner), asked)?,
            }
        }
        if structure.flexible {
            self.out.push(0);
        }
        Ok(())
    }

    fn number(&mut self, op: &Op, default: &'static [u8], asked: Asked) -> Result<(), EncodeError> {
        match op.role {
            Role::Error => {
                self.told = true;
                self.out.extend_from_slice(&self.code.to_be_bytes());
            }
            Role::Throttle => self.out.extend_from_slice(&self.throttle.to_be_bytes()),
            role => {
                let same = self.asked_value(role, asked)?.filter(|value| value.len() == default.len());
                self.out.extend_from_slice(same.unwrap_or(default));
            }
        }
        Ok(())
    }

    fn text(&mut self, op: &Op, asked: Asked) -> Result<(), EncodeError> {
        let absent = if op.null_default || op.nullable { None } else { Some(&b""[..]) };
        let text = match op.role {
            Role::ErrorMessage => Some(self.message.as_bytes()),
            role => self.asked_value(role, asked)?.or(absent),
        };
        write_text(&mut self.out, op, text);
        Ok(())
    }

    /// A length or a count; `None` for null.
    fn length(&mut self, op: &Op, len: Option<usize>) {
        if op.compact {
            push_varint(&mut self.out, len.map_or(0, |len| len as u64 + 1));
        } else {
            self.out.extend_from_slice(&len.map_or(-1, |len| len as i32).to_be_bytes());
        }
    }

    /// A list: what the request's list names, or nothing.
    fn array(&mut self, op: &Op, element: &Struct, asked: Asked) -> Result<(), EncodeError> {
        let Some((mut cursor, count, named)) = self.asked_list(element, asked)? else {
            self.length(op, (!op.null_default).then_some(0));
            return Ok(());
        };
        self.length(op, Some(count));
        for _ in 0..count {
            self.structure(element, Some((named, cursor.at())))?;
            walk::skip_structure(&mut cursor, named, &self.limits)?;
        }
        Ok(())
    }

    /// The request's value with this role, if roles like it name things.
    fn asked_value(&self, role: Role, asked: Asked) -> Result<Option<&'r [u8]>, DecodeError> {
        let Some((asked, at)) = asked.filter(|(asked, _)| role.bit() & NAMES & asked.own_roles() != 0) else {
            return Ok(None);
        };
        let mut cursor = Cursor::new(self.bytes, at);
        for op in asked.ops {
            if op.role == role {
                return Ok(walk::value(&mut cursor, op)?.bytes);
            }
            walk::skip(&mut cursor, op, &self.limits)?;
        }
        Ok(None)
    }

    /// The first list of the request whose elements are named as these are: where its first one begins, how many there are,
    /// and what they look like.
    fn asked_list(
        &self,
        element: &Struct,
        asked: Asked,
    ) -> Result<Option<(Cursor<'r>, usize, &'static Struct)>, DecodeError> {
        let Some((asked, at)) = asked.filter(|_| element.own_roles() & NAMES != 0) else { return Ok(None) };
        let mut cursor = Cursor::new(self.bytes, at);
        for op in asked.ops {
            if let What::Array(inner) = op.what
                && Struct::get(inner).own_roles() & element.own_roles() & NAMES != 0
            {
                let inner = Struct::get(inner);
                let count = walk::count(&mut cursor, op, inner)?.unwrap_or(0);
                return Ok(Some((cursor, count, inner)));
            }
            walk::skip(&mut cursor, op, &self.limits)?;
        }
        Ok(None)
    }
}
