//! The sign in front of a power: `-x ** 2` is `-(x ** 2)`, as in mathematics and in Python.
//!
//! Rhai's parser binds a sign to what follows it before it looks for an operator, so it reads `(-x) ** 2`, without a word. What it
//! reads is changed token by token, which keeps every position: behind a signed base `**` becomes an operator of our own that takes
//! `y = -x` and gives `-((-y) ** b)`. Powers further right in one chain bind first, so they become operators that bind more tightly
//! still; a chain without a sign is left to Rhai, whose `**` binds to the right already.

use std::cell::RefCell;

use rhai::{AST, Dynamic, Engine, LexError, ParseError, Position, Scope, Token};

use super::call::Call;
use super::value::Operand;
use crate::error::{Error, Result};
use crate::tensor::{Binary, Context, Unary};

/// Powers in one chain from the first signed base on.
const LONGEST: usize = 6;
/// How tightly Rhai's `**` binds; the next operator, a shift of bits, has 210.
const POWER: u8 = 190;
/// By place in the chain: a power of a signed base. No script can write these names.
const NEGATED: [&str; LONGEST] = ["-**1", "-**2", "-**3", "-**4", "-**5", "-**6"];
/// By place in the chain: a power like others, right of one of a signed base.
const PLAIN: [&str; LONGEST] = ["**1", "**2", "**3", "**4", "**5", "**6"];

thread_local! {
    static READER: RefCell<Reader> = RefCell::default();
}

/// Makes the engine read powers so; what the operators do is registered under [`names`].
pub(super) fn register(engine: &mut Engine) {
    for (name, level) in NEGATED.iter().zip(1u8..).chain(PLAIN.iter().zip(1u8..)) {
        // The names are none of the language's own.
        let _ = engine.register_custom_operator(name, POWER + level);
    }
    // Rhai marks the interface as one that may change, not as one that will go.
    #[allow(deprecated)]
    engine.on_parse_token(|token, _: Position, _| READER.with_borrow_mut(|reader| reader.read(token)));
}

/// Parses a text from its beginning. A first line `#!…`, which says to the system what runs the file, is a comment.
pub(super) fn compile(engine: &Engine, scope: &Scope, text: &str) -> std::result::Result<AST, ParseError> {
    READER.set(Reader::default());
    match text.strip_prefix("#!") {
        Some(rest) => {
            // A third character could make it a comment that documents a function.
            let rest = rest.strip_prefix(['/', '!']).map_or_else(|| rest.to_string(), |rest| format!(" {rest}"));
            engine.compile_with_scope(scope, format!("//{rest}"))
        }
        None => engine.compile_with_scope(scope, text),
    }
}

/// The operators, and whether each is one of a signed base.
pub(super) fn names() -> impl Iterator<Item = (&'static str, bool)> {
    NEGATED.iter().map(|name| (*name, true)).chain(PLAIN.iter().map(|name| (*name, false)))
}

/// `-((-y) ** b)` of the arguments of a call.
pub(super) fn negated(c: &mut Call) -> Result<Dynamic> {
    let (y, b) = (c.value(0)?, c.value(1)?);
    if let (Ok(y), Ok(b)) = (y.as_int(), b.as_int()) {
        let opposite = |n: i64| n.checked_neg().ok_or_else(|| too_large(y, b));
        return match whole(opposite(y)?, b)? {
            power if power.is_int() => opposite(power.as_int().unwrap_or_default()).map(Dynamic::from),
            power => Ok(Dynamic::from(-power.as_float().unwrap_or(f64::NAN))),
        };
    }
    let context = c.session.context();
    Ok(of_negated(&c.operand(0)?, &c.operand(1)?, context)?.into_dynamic())
}

/// `a ** b` of the arguments of a call.
pub(super) fn plain(c: &mut Call) -> Result<Dynamic> {
    if let (Ok(a), Ok(b)) = (c.value(0)?.as_int(), c.value(1)?.as_int()) {
        return whole(a, b);
    }
    Ok(c.operand(0)?.binary(Binary::Pow, &c.operand(1)?, c.session.context())?.into_dynamic())
}

/// `-((-y) ** b)`. With a whole number as exponent a sign goes through the power: nothing is negated twice.
fn of_negated(y: &Operand, b: &Operand, context: &Context) -> Result<Operand> {
    match (y, b) {
        (Operand::Number(y), Operand::Number(b)) => Ok(Operand::Number(-(-y).powf(*b))),
        (Operand::Tensor(_) | Operand::Field(_), Operand::Number(n)) if n.fract() == 0.0 && n.abs() < 1e9 => {
            let power = y.binary(Binary::Pow, b, context)?;
            if n % 2.0 == 0.0 { power.unary(Unary::Neg, context) } else { Ok(power) }
        }
        _ => y.unary(Unary::Neg, context)?.binary(Binary::Pow, b, context)?.unary(Unary::Neg, context),
    }
}

/// A power of whole numbers: whole where the exponent is not negative.
pub(super) fn whole(a: i64, b: i64) -> Result<Dynamic> {
    match u32::try_from(b) {
        Ok(exponent) => a.checked_pow(exponent).map(Dynamic::from).ok_or_else(|| too_large(a, b)),
        Err(_) => Ok(Dynamic::from((a as f64).powf(b as f64))),
    }
}

fn too_large(a: i64, b: i64) -> Error {
    Error::value("a whole number grew too large").got(format!("{a} ** {b}")).advice("use a float: 2.0 ** n")
}

/// Where in a text the parser is.
#[derive(Default)]
struct Reader {
    here: Place,
    /// The places around it, one per open bracket.
    around: Vec<Place>,
}

/// What has been read between one pair of brackets.
#[derive(Default)]
struct Place {
    /// An operand ended here: a minus that follows is a difference.
    operand: bool,
    /// The operand that is read has an odd number of signs before it.
    signed: bool,
    /// Its sign is part of a number: a method would take it along.
    literal: bool,
    /// Powers in this chain from the first one of a signed base on.
    chain: usize,
    /// The statement that is read began with a block, as `if` does: it ends with one.
    block: bool,
    /// The statement's first token has been read, or what is read is no statement.
    begun: bool,
    /// A brace opened it.
    brace: bool,
    /// What is read is an `if … { … } else { … }` and the like as an operand: it is a place of its own.
    keyword: bool,
    /// A block of it has ended: what follows is `else`, or stands behind it.
    ended: bool,
    /// Its `else` has been read.
    otherwise: bool,
    /// A shift of bits has been read, which binds more tightly than a power: a sign behind it is none of a base.
    shifted: bool,
}

impl Reader {
    /// The token that the parser gets for one of the text.
    fn read(&mut self, token: Token) -> Token {
        if matches!(token, Token::Comment(_) | Token::LexError(_)) {
            return token;
        }
        self.end_of_expression(&token);
        let here = &mut self.here;
        let goes_on = matches!(token, Token::Else | Token::Catch | Token::While | Token::Until);
        if !(here.begun || here.block && goes_on) {
            here.block = matches!(
                token,
                Token::If
                    | Token::Switch
                    | Token::While
                    | Token::Loop
                    | Token::Do
                    | Token::For
                    | Token::Try
                    | Token::LeftBrace
                    | Token::Fn
                    | Token::Private
            );
        }
        here.begun = true;
        match &token {
            Token::UnaryMinus => here.sign(),
            Token::Minus if !here.operand => here.sign(),
            Token::UnaryPlus => {}
            Token::Plus if !here.operand => {}
            Token::LeftParen | Token::LeftBracket | Token::LeftBrace | Token::MapStart | Token::QuestionBracket => {
                let brace = token == Token::LeftBrace;
                self.around.push(std::mem::replace(here, Place { begun: !brace, brace, ..Place::default() }));
            }
            Token::RightParen | Token::RightBracket | Token::RightBrace => {
                let closed = std::mem::replace(here, self.around.pop().unwrap_or_default());
                if closed.brace && here.block {
                    *here = Place { block: true, brace: here.brace, ..Place::default() };
                } else {
                    here.operand = true;
                    here.ended = closed.brace && here.keyword;
                }
            }
            Token::If if here.otherwise => here.otherwise = false,
            Token::If | Token::Switch | Token::While | Token::Loop | Token::For if !here.block => {
                self.around.push(std::mem::replace(here, Place { begun: true, keyword: true, ..Place::default() }));
            }
            Token::Else if here.keyword => {
                here.end_of_chain();
                here.otherwise = true;
            }
            Token::IntegerConstant(n) => here.number(*n < 0),
            Token::FloatConstant(x) => here.number(x.0.is_sign_negative()),
            Token::Identifier(_)
            | Token::CharConstant(_)
            | Token::StringConstant(_)
            | Token::InterpolatedString(_)
            | Token::True
            | Token::False
            | Token::Unit
            | Token::Reserved(_)
            | Token::Custom(_) => here.operand = true,
            Token::Period | Token::Elvis => {
                if std::mem::take(&mut here.literal) {
                    here.signed = false;
                }
            }
            Token::DoubleColon => {}
            Token::SemiColon => *here = Place { brace: here.brace, ..Place::default() },
            Token::PowerOf => return here.power(),
            Token::LeftShift | Token::RightShift => {
                here.end_of_chain();
                here.shifted = true;
            }
            _ => here.end_of_chain(),
        }
        token
    }

    /// Leaves an `if …` that was an operand, when another token than `else` follows its block.
    fn end_of_expression(&mut self, next: &Token) {
        if std::mem::take(&mut self.here.ended) && *next != Token::Else {
            self.here = self.around.pop().unwrap_or_default();
            self.here.operand = true;
        }
    }
}

impl Place {
    fn sign(&mut self) {
        self.signed = !self.signed;
    }
    fn number(&mut self, negative: bool) {
        if negative {
            self.sign();
            self.literal = true;
        }
        self.operand = true;
    }
    fn end_of_operand(&mut self) {
        (self.operand, self.signed, self.literal) = (false, false, false);
    }
    fn end_of_chain(&mut self) {
        self.end_of_operand();
        (self.chain, self.shifted) = (0, false);
    }
    fn power(&mut self) -> Token {
        let signed = self.signed && !self.shifted;
        let names = if signed { &NEGATED } else { &PLAIN };
        let counts = signed || self.chain > 0;
        self.end_of_operand();
        if !counts {
            return Token::PowerOf;
        }
        self.chain += 1;
        match names.get(self.chain - 1) {
            Some(name) => Token::Custom(Box::new((*name).into())),
            None => Token::LexError(Box::new(LexError::ImproperSymbol(
                "**".into(),
                "too many powers in one expression behind a sign: use parentheses".into(),
            ))),
        }
    }
}
