//! Expressions: C-like, over integers, with checked arithmetic.

use metaprotocol_core::Direction;

use crate::error::{Pos, Problems, suggest};
use crate::model::{Affine, Field, FieldId};
use crate::view::View;

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Expr {
    Const(i128),
    /// The value of an integer field; 0 if the frame lacks it.
    Int(FieldId),
    Len(FieldId),
    Present(FieldId),
    /// 0 from the client, 1 from the server.
    Direction,
    HeaderLen,
    FrameLen,
    /// The code of the error that a reply states.
    Code,
    Unary(Unary, Box<Expr>),
    Binary(Binary, Box<Expr>, Box<Expr>),
    Choice(Box<Expr>, Box<Expr>, Box<Expr>),
    /// Whether a text is equal to another.
    Same(Text, Text),
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Text {
    Literal(Box<[u8]>),
    Field(FieldId),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unary {
    Minus,
    Not,
    Invert,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Binary {
    Add,
    Sub,
    Mul,
    Div,
    Rem,
    Shl,
    Shr,
    And,
    Or,
    Xor,
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
    Both,
    Either,
}

impl Binary {
    pub const fn compares(self) -> bool {
        matches!(self, Self::Eq | Self::Ne | Self::Lt | Self::Le | Self::Gt | Self::Ge)
    }
}

/// Why an expression has no value: it overflows, divides by zero or shifts too far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NoValue;

impl Expr {
    pub fn eval(&self, view: &View<'_>) -> Result<i128, NoValue> {
        Ok(match self {
            Self::Const(value) => *value,
            Self::Int(field) => view.int(*field).unwrap_or(0),
            Self::Len(field) => view.slot(*field).map_or(0, |slot| i128::from(slot.len)),
            Self::Present(field) => i128::from(view.slot(*field).is_some()),
            Self::Direction => view.direction as i128,
            Self::HeaderLen => view.header_len as i128,
            Self::FrameLen => view.frame_len as i128,
            Self::Code => view.code,
            Self::Unary(operator, operand) => {
                let value = operand.eval(view)?;
                match operator {
                    Unary::Minus => value.checked_neg().ok_or(NoValue)?,
                    Unary::Not => i128::from(value == 0),
                    Unary::Invert => !value,
                }
            }
            Self::Binary(Binary::Both, left, right) => i128::from(left.eval(view)? != 0 && right.eval(view)? != 0),
            Self::Binary(Binary::Either, left, right) => i128::from(left.eval(view)? != 0 || right.eval(view)? != 0),
            Self::Binary(operator, left, right) => binary(*operator, left.eval(view)?, right.eval(view)?)?,
            Self::Choice(condition, then, otherwise) => {
                if condition.eval(view)? != 0 {
                    then.eval(view)?
                } else {
                    otherwise.eval(view)?
                }
            }
            Self::Same(left, right) => {
                i128::from(text(left, view).unwrap_or_default() == text(right, view).unwrap_or_default())
            }
        })
    }

    /// True if it is not zero; what has no value is not true.
    pub fn holds(&self, view: &View<'_>) -> bool {
        self.eval(view).is_ok_and(|value| value != 0)
    }

    /// Calls `visit` with every field it reads.
    pub fn fields(&self, visit: &mut dyn FnMut(FieldId)) {
        match self {
            Self::Int(field) | Self::Len(field) | Self::Present(field) => visit(*field),
            Self::Unary(_, operand) => operand.fields(visit),
            Self::Binary(_, left, right) => {
                left.fields(visit);
                right.fields(visit);
            }
            Self::Choice(condition, then, otherwise) => {
                condition.fields(visit);
                then.fields(visit);
                otherwise.fields(visit);
            }
            Self::Same(left, right) => {
                for side in [left, right] {
                    if let Text::Field(field) = side {
                        visit(*field);
                    }
                }
            }
            Self::Const(_) | Self::Direction | Self::HeaderLen | Self::FrameLen | Self::Code => {}
        }
    }

    /// The expression as a sum of fields with positive factors, if it is one.
    pub fn affine(&self) -> Option<Affine> {
        let mut sum = Affine { terms: Vec::new(), constant: 0 };
        self.add_to(&mut sum, 1)?;
        sum.terms.iter().all(|(_, factor)| *factor > 0).then_some(sum)
    }

    fn add_to(&self, sum: &mut Affine, factor: i128) -> Option<()> {
        match self {
            Self::Const(value) => sum.constant = sum.constant.checked_add(value.checked_mul(factor)?)?,
            Self::Int(field) => match sum.terms.iter_mut().find(|(known, _)| known == field) {
                Some((_, known)) => *known = known.checked_add(factor)?,
                None => sum.terms.push((*field, factor)),
            },
            Self::Unary(Unary::Minus, operand) => operand.add_to(sum, factor.checked_neg()?)?,
            Self::Binary(Binary::Add, left, right) => {
                left.add_to(sum, factor)?;
                right.add_to(sum, factor)?;
            }
            Self::Binary(Binary::Sub, left, right) => {
                left.add_to(sum, factor)?;
                right.add_to(sum, factor.checked_neg()?)?;
            }
            Self::Binary(Binary::Mul, left, right) => match (left.as_ref(), right.as_ref()) {
                (Self::Const(value), other) | (other, Self::Const(value)) => {
                    other.add_to(sum, factor.checked_mul(*value)?)?;
                }
                _ => return None,
            },
            Self::Binary(Binary::Shl, left, right) => match right.as_ref() {
                Self::Const(by @ 0..=62) => left.add_to(sum, factor.checked_mul(1 << by)?)?,
                _ => return None,
            },
            _ => return None,
        }
        Some(())
    }
}

fn text<'v>(text: &'v Text, view: &'v View<'_>) -> Option<&'v [u8]> {
    match text {
        Text::Literal(bytes) => Some(bytes),
        Text::Field(field) => view.text(*field),
    }
}

pub(crate) fn binary(operator: Binary, left: i128, right: i128) -> Result<i128, NoValue> {
    let shift = || u32::try_from(right).ok().filter(|by| *by < 64).ok_or(NoValue);
    match operator {
        Binary::Add => left.checked_add(right),
        Binary::Sub => left.checked_sub(right),
        Binary::Mul => left.checked_mul(right),
        Binary::Div => left.checked_div(right),
        Binary::Rem => left.checked_rem(right),
        Binary::Shl => left.checked_mul(1_i128 << shift()?),
        Binary::Shr => Some(left >> shift()?),
        Binary::And => Some(left & right),
        Binary::Or => Some(left | right),
        Binary::Xor => Some(left ^ right),
        Binary::Eq => Some(i128::from(left == right)),
        Binary::Ne => Some(i128::from(left != right)),
        Binary::Lt => Some(i128::from(left < right)),
        Binary::Le => Some(i128::from(left <= right)),
        Binary::Gt => Some(i128::from(left > right)),
        Binary::Ge => Some(i128::from(left >= right)),
        Binary::Both => Some(i128::from(left != 0 && right != 0)),
        Binary::Either => Some(i128::from(left != 0 || right != 0)),
    }
    .ok_or(NoValue)
}

/// The names an expression may use.
pub(crate) struct Scope<'s> {
    pub fields: &'s [Field],
    /// Constants by name: the parameters of the description.
    pub constants: &'s [(String, i128)],
    /// True once the frame's length is known.
    pub frame: bool,
    /// True in a reply.
    pub reply: bool,
}

impl Scope<'_> {
    pub fn find(&self, name: &str) -> Option<FieldId> {
        self.fields.iter().position(|field| &*field.name == name).map(|at| at as FieldId)
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        let builtin = ["direction", "client_to_server", "server_to_client"];
        let frame: &[&str] = if self.frame { &["header_len", "frame_len", "body_len"] } else { &[] };
        let reply: &[&str] = if self.reply { &["error.code"] } else { &[] };
        let constants = self.constants.iter().map(|(name, _)| name.as_str());
        let fields = self.fields.iter().map(|field| &*field.name);
        fields.chain(constants).chain(builtin).chain(frame.iter().copied()).chain(reply.iter().copied())
    }

    pub fn suggest(&self, name: &str) -> String {
        suggest(name, self.names())
    }
}

/// A mistake in an expression: how many characters into it, what, and what to do.
struct Mistake(usize, String, String);

type Parsed<T> = Result<T, Mistake>;

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Number(i128),
    Name(String),
    Text(String),
    Sign(&'static str),
    End,
}

/// Longest first, so that `<<` is not two `<`.
const SIGNS: [&str; 25] = [
    "<<", ">>", "<=", ">=", "==", "!=", "&&", "||", "+", "-", "*", "/", "%", "<", ">", "&", "|", "^", "~", "!", "?",
    ":", "(", ")", ",",
];
/// Longest expression, and deepest nesting.
const MAX_TEXT: usize = 4096;
const MAX_DEPTH: usize = 40;

fn tokens(text: &str) -> Parsed<Vec<(usize, Token)>> {
    let characters: Vec<char> = text.chars().collect();
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(&character) = characters.get(at) {
        let rest = characters.get(at..).unwrap_or_default();
        let run = |keep: &dyn Fn(char) -> bool| rest.iter().take_while(|next| keep(**next)).collect::<String>();
        let (token, len) = if character.is_whitespace() {
            at += 1;
            continue;
        } else if character.is_ascii_digit() {
            let word = run(&|next| next.is_ascii_alphanumeric() || next == '_');
            let number = number(&word)
                .ok_or_else(|| Mistake(at, format!("{word:?} is not a number"), "write 10, 0x0a or 'c'".to_owned()))?;
            (Token::Number(number), word.chars().count())
        } else if character.is_alphabetic() || character == '_' {
            let word = run(&|next| next.is_alphanumeric() || next == '_' || next == '.');
            let len = word.chars().count();
            (Token::Name(word), len)
        } else if character == '"' || character == '\'' {
            let mut inner = String::new();
            let mut len = 1;
            loop {
                match rest.get(len) {
                    Some(next) if *next == character => break,
                    Some('\\') => {
                        inner.push(match rest.get(len + 1) {
                            Some('r') => '\r',
                            Some('n') => '\n',
                            Some('t') => '\t',
                            Some('0') => '\0',
                            Some(other @ ('\\' | '"' | '\'')) => *other,
                            _ => {
                                let fix = r#"known are \r \n \t \0 \\ \" \'"#;
                                return Err(Mistake(at + len, "an unknown escape".to_owned(), fix.to_owned()));
                            }
                        });
                        len += 2;
                    }
                    Some(next) => {
                        inner.push(*next);
                        len += 1;
                    }
                    None => {
                        let fix = format!("close it with {character}");
                        return Err(Mistake(at, "a text without an end".to_owned(), fix));
                    }
                }
            }
            let token = match inner.as_bytes() {
                [byte] if character == '\'' => Token::Number(i128::from(*byte)),
                _ if character == '\'' => {
                    let fix = format!("a text stands in double quotes: {inner:?}");
                    return Err(Mistake(at, "'…' is the number of one ASCII character".to_owned(), fix));
                }
                _ => Token::Text(inner),
            };
            (token, len + 1)
        } else {
            let sign = SIGNS
                .iter()
                .find(|sign| rest.iter().zip(sign.chars()).all(|(a, b)| *a == b) && rest.len() >= sign.len());
            let Some(sign) = sign else {
                let fix = "operators are + - * / % << >> & | ^ ~ == != < <= > >= && || ! ?: ( )";
                return Err(Mistake(at, format!("{character:?} means nothing here"), fix.to_owned()));
            };
            (Token::Sign(sign), sign.len())
        };
        found.push((at, token));
        at += len;
    }
    found.push((at, Token::End));
    Ok(found)
}

/// A decimal or hexadecimal number of up to 64 bits, underscores between digits allowed.
pub(crate) fn number(text: &str) -> Option<i128> {
    let (negative, digits) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
    let digits = digits.replace('_', "");
    let value = match digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        Some(hex) if hex.bytes().all(|byte| byte.is_ascii_hexdigit()) => u64::from_str_radix(hex, 16).ok()?,
        None if digits.bytes().all(|byte| byte.is_ascii_digit()) => digits.parse().ok()?,
        _ => return None,
    };
    let value = i128::from(value);
    Some(if negative { -value } else { value })
}

/// An operand: a number or a text.
enum Operand {
    Int(Expr),
    Text(Text),
}

struct Reader<'r> {
    tokens: Vec<(usize, Token)>,
    at: usize,
    depth: usize,
    scope: &'r Scope<'r>,
    /// The name that the mistake is about, if nothing is known by it.
    unknown: &'r mut Option<String>,
}

/// Binary operators by how tightly they bind, the loosest first, as in C but for `&`, `^` and `|`, which bind tighter than
/// comparisons here: `flags & 1 == 0` means what it looks like.
const LEVELS: [&[(&str, Binary)]; 10] = [
    &[("||", Binary::Either)],
    &[("&&", Binary::Both)],
    &[("==", Binary::Eq), ("!=", Binary::Ne)],
    &[("<", Binary::Lt), ("<=", Binary::Le), (">", Binary::Gt), (">=", Binary::Ge)],
    &[("|", Binary::Or)],
    &[("^", Binary::Xor)],
    &[("&", Binary::And)],
    &[("<<", Binary::Shl), (">>", Binary::Shr)],
    &[("+", Binary::Add), ("-", Binary::Sub)],
    &[("*", Binary::Mul), ("/", Binary::Div), ("%", Binary::Rem)],
];

impl Reader<'_> {
    fn peek(&self) -> (usize, &Token) {
        self.tokens.get(self.at).map_or((0, &Token::End), |(at, token)| (*at, token))
    }

    fn take(&mut self, sign: &str) -> bool {
        let found = matches!(self.peek().1, Token::Sign(found) if *found == sign);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, sign: &str) -> Parsed<()> {
        if self.take(sign) {
            return Ok(());
        }
        let (at, token) = self.peek();
        Err(Mistake(at, format!("{} where {sign:?} is expected", shown(token)), format!("add {sign:?}")))
    }

    fn deeper(&mut self) -> Parsed<()> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            let at = self.peek().0;
            return Err(Mistake(at, "the expression is nested too deeply".to_owned(), "write it flatter".to_owned()));
        }
        Ok(())
    }

    fn choice(&mut self) -> Parsed<Operand> {
        self.deeper()?;
        let start = self.peek().0;
        let condition = self.level(0)?;
        let result = if self.take("?") {
            let condition = int(condition, start)?;
            let at = self.peek().0;
            let then = int(self.choice()?, at)?;
            self.expect(":")?;
            let at = self.peek().0;
            let otherwise = int(self.choice()?, at)?;
            Operand::Int(fold(Expr::Choice(Box::new(condition), Box::new(then), Box::new(otherwise))))
        } else {
            condition
        };
        self.depth -= 1;
        Ok(result)
    }

    fn level(&mut self, level: usize) -> Parsed<Operand> {
        let Some(operators) = LEVELS.get(level) else { return self.unary() };
        let start = self.peek().0;
        let mut left = self.level(level + 1)?;
        loop {
            let operator =
                operators.iter().find(|(sign, _)| matches!(self.peek().1, Token::Sign(found) if found == sign));
            let Some((_, operator)) = operator else { return Ok(left) };
            let operator = *operator;
            self.at += 1;
            let at = self.peek().0;
            let right = self.level(level + 1)?;
            left = match (left, right) {
                (Operand::Text(left), Operand::Text(right)) if operator == Binary::Eq => {
                    Operand::Int(Expr::Same(left, right))
                }
                (Operand::Text(left), Operand::Text(right)) if operator == Binary::Ne => {
                    Operand::Int(Expr::Unary(Unary::Not, Box::new(Expr::Same(left, right))))
                }
                (left, right) => {
                    let (left, right) = (int(left, start)?, int(right, at)?);
                    Operand::Int(fold(Expr::Binary(operator, Box::new(left), Box::new(right))))
                }
            };
        }
    }

    fn unary(&mut self) -> Parsed<Operand> {
        for (sign, operator) in [("-", Unary::Minus), ("!", Unary::Not), ("~", Unary::Invert)] {
            if self.take(sign) {
                self.deeper()?;
                let at = self.peek().0;
                let operand = int(self.unary()?, at)?;
                self.depth -= 1;
                return Ok(Operand::Int(fold(Expr::Unary(operator, Box::new(operand)))));
            }
        }
        self.primary()
    }

    fn primary(&mut self) -> Parsed<Operand> {
        let (at, token) = self.peek();
        let token = token.clone();
        self.at += 1;
        match token {
            Token::Number(value) => Ok(Operand::Int(Expr::Const(value))),
            Token::Text(text) => Ok(Operand::Text(Text::Literal(text.into_bytes().into()))),
            Token::Sign("(") => {
                let inner = self.choice()?;
                self.expect(")")?;
                Ok(inner)
            }
            Token::Name(name) if matches!(name.as_str(), "len" | "present") && self.take("(") => {
                let (at, token) = self.peek();
                let Token::Name(field) = token.clone() else {
                    return Err(Mistake(at, format!("{name}() takes the name of a field"), format!("{name}(topic)")));
                };
                self.at += 1;
                let Some(id) = self.scope.find(&field) else { return Err(self.unknown(at, &field)) };
                self.expect(")")?;
                Ok(Operand::Int(if name == "len" { Expr::Len(id) } else { Expr::Present(id) }))
            }
            Token::Name(name) => self.named(at, &name),
            other => {
                let fix = "write a number, a field, or an expression in parentheses";
                Err(Mistake(at, format!("{} where a value is expected", shown(&other)), fix.to_owned()))
            }
        }
    }

    fn named(&mut self, at: usize, name: &str) -> Parsed<Operand> {
        if let Some(id) = self.scope.find(name) {
            let field = self.scope.fields.get(usize::from(id));
            return match field.map(|field| field.ty) {
                Some(ty) if ty.is_int() => Ok(Operand::Int(Expr::Int(id))),
                Some(ty) if ty.is_text() => Ok(Operand::Text(Text::Field(id))),
                _ => Err(Mistake(
                    at,
                    format!("{name:?} is neither a number nor a text"),
                    format!("use a part of it, len({name}) or present({name})"),
                )),
            };
        }
        if let Some((_, value)) = self.scope.constants.iter().find(|(known, _)| known == name) {
            return Ok(Operand::Int(Expr::Const(*value)));
        }
        Ok(Operand::Int(match name {
            "direction" => Expr::Direction,
            "client_to_server" => Expr::Const(Direction::ClientToServer as i128),
            "server_to_client" => Expr::Const(Direction::ServerToClient as i128),
            "header_len" if self.scope.frame => Expr::HeaderLen,
            "frame_len" if self.scope.frame => Expr::FrameLen,
            "body_len" if self.scope.frame => {
                Expr::Binary(Binary::Sub, Box::new(Expr::FrameLen), Box::new(Expr::HeaderLen))
            }
            "error.code" if self.scope.reply => Expr::Code,
            _ => return Err(self.unknown(at, name)),
        }))
    }

    fn unknown(&mut self, at: usize, name: &str) -> Mistake {
        *self.unknown = Some(name.to_owned());
        Mistake(at, format!("unknown field {name:?}"), self.scope.suggest(name))
    }
}

fn shown(token: &Token) -> String {
    match token {
        Token::Number(value) => format!("the number {value}"),
        Token::Name(name) => format!("{name:?}"),
        Token::Text(text) => format!("the text {text:?}"),
        Token::Sign(sign) => format!("{sign:?}"),
        Token::End => "the end".to_owned(),
    }
}

fn int(operand: Operand, at: usize) -> Parsed<Expr> {
    match operand {
        Operand::Int(expr) => Ok(expr),
        Operand::Text(_) => Err(Mistake(
            at,
            "a text where a number is expected".to_owned(),
            "texts can only be compared with == and !=; len(field) is a number".to_owned(),
        )),
    }
}

/// A constant, if all it is made of is constant.
fn fold(expr: Expr) -> Expr {
    let constant = |expr: &Expr| match expr {
        Expr::Const(value) => Some(*value),
        _ => None,
    };
    match &expr {
        Expr::Unary(operator, operand) => match (operator, constant(operand)) {
            (Unary::Minus, Some(value)) => value.checked_neg().map_or(expr, Expr::Const),
            (Unary::Not, Some(value)) => Expr::Const(i128::from(value == 0)),
            (Unary::Invert, Some(value)) => Expr::Const(!value),
            _ => expr,
        },
        Expr::Binary(operator, left, right) => match (operator, constant(left), constant(right)) {
            (Binary::Both, Some(0), _) => Expr::Const(0),
            (Binary::Either, Some(value), _) if value != 0 => Expr::Const(1),
            (_, Some(left), Some(right)) => binary(*operator, left, right).map_or(expr, Expr::Const),
            _ => expr,
        },
        Expr::Choice(condition, then, otherwise) => match constant(condition) {
            Some(0) => (**otherwise).clone(),
            Some(_) => (**then).clone(),
            None => expr,
        },
        _ => expr,
    }
}

/// Reads an expression, or notes what is wrong with it.
pub(crate) fn parse(text: &str, pos: Pos, path: &str, scope: &Scope<'_>, problems: &mut Problems) -> Option<Expr> {
    let mut unknown = None;
    let mut read = || {
        if text.len() > MAX_TEXT {
            return Err(Mistake(0, "the expression is too long".to_owned(), "at most 4096 bytes".to_owned()));
        }
        let mut reader = Reader { tokens: tokens(text)?, at: 0, depth: 0, scope, unknown: &mut unknown };
        let expr = int(reader.choice()?, 0)?;
        match reader.peek() {
            (_, Token::End) => Ok(expr),
            (at, token) => {
                let fix = "put an operator between the values".to_owned();
                Err(Mistake(at, format!("{} behind a complete expression", shown(token)), fix))
            }
        }
    };
    match read() {
        Ok(expr) => Some(expr),
        Err(Mistake(at, reason, fix)) => {
            match unknown {
                Some(name) => problems.unknown(&name, pos.plus(at), path, reason, fix),
                None => problems.add(pos.plus(at), path, reason, fix),
            }
            None
        }
    }
}
