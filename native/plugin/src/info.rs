//! What a table says of its codec: read once, checked, and copied.

use std::borrow::Cow;
use std::collections::HashSet;
use std::ffi::c_char;
use std::mem::offset_of;

use metaprotocol_core::{FirstSpeaker, Info, KeyInfo, PairBy, Sharing};

use crate::abi;
use crate::checked::c_text;

/// A name of a codec or a key, in bytes.
const MAX_NAME: usize = 64;
/// A line about a codec or a key, in bytes.
const MAX_LINE: usize = 1024;
const MAX_ALIASES: usize = 64;
/// Keys have numbers of 16 bits, and tables a column each.
const MAX_KEYS: u32 = 4096;
/// A header that is longer at its shortest is a number that was never set.
const MAX_HEADER_LEN: u32 = 1 << 16;
/// Bytes of version 1: all of `Codec`, to which later versions append.
const LEAST_SIZE: usize = size_of::<abi::Codec>();

/// The table, whole: what a later host will append is not part of this type, what a codec lacks is refused.
///
/// # Errors
/// What is wrong, in words for people.
///
/// # Safety
/// `table` is null, or points to a `metaprotocol_codec` as its own `struct_size` has it.
pub unsafe fn table(table: *const abi::Codec) -> Result<abi::Codec, String> {
    if table.is_null() || !table.is_aligned() {
        return Err("the address of the codec is NULL or not aligned".into());
    }
    let number = |offset: usize| {
        // SAFETY: these two numbers stand at the front of every version.
        unsafe { *table.cast::<u8>().add(offset).cast::<u32>() }
    };
    let version = number(offset_of!(abi::Codec, abi_version));
    if version != abi::ABI_VERSION {
        return Err(format!(
            "is made for version {version} of the ABI, and this metaprotocol has version {}; build it again with the header \
             in metaprotocol.get_include()",
            abi::ABI_VERSION
        ));
    }
    let size = number(offset_of!(abi::Codec, struct_size)) as usize;
    if size < LEAST_SIZE {
        return Err(format!("struct_size is {size}, and must be sizeof(metaprotocol_codec), {LEAST_SIZE} or more"));
    }
    // SAFETY: it is at least as large as what is read.
    Ok(unsafe { *table })
}

/// A string of the table.
fn string(text: *const c_char, what: &str, max: usize) -> Result<String, String> {
    // SAFETY: the ABI has strings of the table end in NUL and stay for good.
    let text = unsafe { c_text(text, max + 1) }.ok_or_else(|| format!("{what} is NULL"))?;
    if text.len() > max {
        return Err(format!("{what} is longer than {max} bytes, or does not end in NUL"));
    }
    String::from_utf8(text.to_vec()).map_err(|_| format!("{what} is not UTF-8"))
}

/// A name: of a codec, an alias, a key.
fn word(text: *const c_char, what: &str) -> Result<String, String> {
    let word = string(text, what, MAX_NAME)?;
    if word.is_empty() || !word.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(format!("{what} must be one word of printable ASCII, not {word:?}"));
    }
    Ok(word)
}

fn line(text: *const c_char, what: &str) -> Result<String, String> {
    if text.is_null() { Ok(String::new()) } else { string(text, what, MAX_LINE) }
}

fn member<T: Copy>(number: u8, members: &[T], what: &str) -> Result<T, String> {
    let found = members.get(usize::from(number));
    found.copied().ok_or_else(|| format!("{what} is {number}, which the ABI does not define"))
}

/// What the table says of its codec.
///
/// # Errors
/// What is wrong, in words for people.
pub fn info(table: &abi::Codec) -> Result<Info, String> {
    let name = word(table.name, "name")?;
    if name.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return Err(format!("name must be one lower-case word, not {name:?}"));
    }
    let within = |what: String| format!("{name}: {what}");
    if table.split.is_none() {
        return Err(within("split is NULL; it is required".into()));
    }
    if table.state_new.is_some() != table.state_free.is_some() {
        return Err(within("state_new and state_free go together; one is NULL".into()));
    }
    if table.min_header_len > MAX_HEADER_LEN {
        return Err(within(format!(
            "min_header_len is {}; no header is so long at its shortest",
            table.min_header_len
        )));
    }
    let details = || -> Result<Info, String> {
        Ok(Info {
            name: Cow::Owned(name.clone()),
            aliases: Cow::Owned(aliases(table)?.into_iter().map(Cow::Owned).collect()),
            summary: Cow::Owned(line(table.summary, "summary")?),
            pair_by: member(table.pair_by, &[PairBy::Id, PairBy::Order, PairBy::Stream, PairBy::None], "pair_by")?,
            sharing: member(table.sharing, &[Sharing::Multiplexed, Sharing::Pipelined, Sharing::Bound], "sharing")?,
            first_speaker: member(table.first_speaker, &[FirstSpeaker::Client, FirstSpeaker::Server], "first_speaker")?,
            heartbeats: table.heartbeats != 0,
            min_header_len: table.min_header_len,
            keys: Cow::Owned(keys(table)?),
            open_keys: table.open_keys != 0,
        })
    };
    details().map_err(within)
}

fn aliases(table: &abi::Codec) -> Result<Vec<String>, String> {
    let mut found = Vec::new();
    if table.aliases.is_null() {
        return Ok(found);
    }
    loop {
        // SAFETY: the ABI has the list go on until a null, which has not been met.
        let alias = unsafe { *table.aliases.add(found.len()) };
        if alias.is_null() {
            return Ok(found);
        }
        if found.len() == MAX_ALIASES {
            return Err(format!("there are more than {MAX_ALIASES} aliases; the list must end in NULL"));
        }
        found.push(word(alias, "an alias")?);
    }
}

fn keys(table: &abi::Codec) -> Result<Vec<KeyInfo>, String> {
    if table.key_count > MAX_KEYS {
        return Err(format!("key_count is {}; at most {MAX_KEYS} keys can be known", table.key_count));
    }
    if table.key_count > 0 && table.keys.is_null() {
        return Err(format!("key_count is {}, and keys is NULL", table.key_count));
    }
    let mut seen = HashSet::new();
    let mut found = Vec::new();
    for at in 0..table.key_count as usize {
        // SAFETY: the ABI has the list hold `key_count` keys.
        let key = unsafe { *table.keys.add(at) };
        let name = word(key.name, "the name of a key")?;
        if !seen.insert(name.clone()) {
            return Err(format!("the key {name:?} is there twice"));
        }
        let about = line(key.about, "what a key is about")?;
        found.push(KeyInfo {
            name: Cow::Owned(name),
            about: Cow::Owned(about),
            writable: key.writable != 0,
            number: key.number != 0,
        });
    }
    Ok(found)
}
