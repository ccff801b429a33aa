//! Answers made on the spot: nova has none. What follows the header is the service's own message, so there is no place for an
//! error; servers close the connection instead.

use metaprotocol_core::{EncodeError, Frame, Reply};

pub fn reply(_request: Frame<'_>, _reply: Reply<'_>) -> Result<Option<Vec<u8>>, EncodeError> {
    Err(EncodeError::NoReply { why: "nova cannot tell of errors: close the connection instead".into() })
}
