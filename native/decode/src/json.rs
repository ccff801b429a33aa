//! JSON written by hand: each row is one pass over bytes that are at hand anyway.

/// Appends a JSON string, quotes included.
pub(crate) fn string(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    escaped(out, text);
    out.push(b'"');
}

fn needs_escape(byte: u8) -> bool {
    byte < b' ' || byte == b'"' || byte == b'\\'
}

/// Appends the inside of a JSON string.
pub(crate) fn escaped(out: &mut Vec<u8>, text: &str) {
    let bytes = text.as_bytes();
    // Without an early exit the test runs on many bytes at once; almost no text has anything to escape.
    if !bytes.iter().fold(false, |any, &byte| any | needs_escape(byte)) {
        out.extend_from_slice(bytes);
        return;
    }
    let mut from = 0;
    for (at, &byte) in bytes.iter().enumerate() {
        if !needs_escape(byte) {
            continue;
        }
        out.extend_from_slice(bytes.get(from..at).unwrap_or_default());
        from = at + 1;
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            _ => {
                const HEX: &[u8; 16] = b"0123456789abcdef";
                out.extend_from_slice(b"\\u00");
                out.push(HEX[usize::from(byte >> 4)]);
                out.push(HEX[usize::from(byte & 15)]);
            }
        }
    }
    out.extend_from_slice(bytes.get(from..).unwrap_or_default());
}

/// Appends an integer.
pub(crate) fn integer(out: &mut Vec<u8>, number: impl itoa::Integer) {
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

/// Appends nanoseconds as milliseconds, exactly: `1500000` is `1.5`.
pub(crate) fn millis(out: &mut Vec<u8>, nanos: u64) {
    integer(out, nanos / 1_000_000);
    let mut rest = nanos % 1_000_000;
    if rest == 0 {
        return;
    }
    out.push(b'.');
    let mut unit = 100_000;
    while rest > 0 {
        out.push(b'0' + (rest / unit) as u8);
        rest %= unit;
        unit /= 10;
    }
}

/// Writes times as `2024-05-06T07:08:09.123456789Z`, and remembers the second it wrote last.
#[derive(Debug)]
pub(crate) struct Clock {
    second: u64,
    text: [u8; 20],
}

impl Clock {
    pub(crate) fn new() -> Self {
        let mut clock = Self { second: 0, text: *b"0000-00-00T00:00:00." };
        clock.set(0);
        clock
    }

    /// Appends a time in nanoseconds since the Unix epoch.
    pub(crate) fn write(&mut self, out: &mut Vec<u8>, nanos: u64) {
        let second = nanos / 1_000_000_000;
        if second != self.second {
            self.set(second);
        }
        out.extend_from_slice(&self.text);
        let mut fraction = [b'0'; 9];
        let mut rest = nanos % 1_000_000_000;
        for digit in fraction.iter_mut().rev() {
            *digit = b'0' + (rest % 10) as u8;
            rest /= 10;
        }
        out.extend_from_slice(&fraction);
        out.push(b'Z');
    }

    fn set(&mut self, second: u64) {
        self.second = second;
        let (year, month, day) = civil(second / 86_400);
        let of_day = second % 86_400;
        for (at, width, mut number) in [
            (0, 4, year),
            (5, 2, month),
            (8, 2, day),
            (11, 2, of_day / 3600),
            (14, 2, of_day / 60 % 60),
            (17, 2, of_day % 60),
        ] {
            for place in self.text.iter_mut().skip(at).take(width).rev() {
                *place = b'0' + (number % 10) as u8;
                number /= 10;
            }
        }
    }
}

/// Year, month and day of a day counted from 1970-01-01 (proleptic Gregorian calendar, years of 400-year eras that
/// begin in March, so that the leap day is a year's last).
fn civil(days: u64) -> (u64, u64, u64) {
    const ERA: u64 = 146_097;
    let days = days + 719_468;
    let of_era = days % ERA;
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (year_of_era + days / ERA * 400 + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn strings_are_escaped() {
        assert_eq!(
            text(|out| string(out, "a\"b\\c\n\r\t\u{1}\u{1f}\u{7f}é😀")),
            "\"a\\\"b\\\\c\\n\\r\\t\\u0001\\u001f\u{7f}é😀\""
        );
        assert_eq!(text(|out| string(out, "")), "\"\"");
    }

    #[test]
    fn milliseconds_are_exact() {
        for (nanos, wanted) in [
            (0, "0"),
            (1, "0.000001"),
            (1_500_000, "1.5"),
            (1_000_000, "1"),
            (12_034_050_000, "12034.05"),
            (10, "0.00001"),
        ] {
            assert_eq!(text(|out| millis(out, nanos)), wanted);
        }
    }

    #[test]
    fn times_are_iso_8601() {
        let mut clock = Clock::new();
        for (nanos, wanted) in [
            (0, "1970-01-01T00:00:00.000000000Z"),
            (951_782_399_999_999_999, "2000-02-28T23:59:59.999999999Z"),
            (951_782_400_000_000_001, "2000-02-29T00:00:00.000000001Z"),
            (1_709_251_199_000_000_000, "2024-02-29T23:59:59.000000000Z"),
            (4_107_542_400_000_000_000, "2100-03-01T00:00:00.000000000Z"),
            (951_782_399_000_000_000, "2000-02-28T23:59:59.000000000Z"),
        ] {
            assert_eq!(text(|out| clock.write(out, nanos)), wanted);
        }
    }
}
