//! A program as a tree.

use super::text::Re;
use std::rc::Rc;

/// A whole program.
#[derive(Debug, Default)]
pub(crate) struct Program {
    pub(crate) begin: Vec<Stmt>,
    pub(crate) rules: Vec<Rule>,
    pub(crate) end: Vec<Stmt>,
    pub(crate) functions: Vec<Function>,
    /// Names of the global variables by slot.
    pub(crate) globals: Vec<String>,
}

/// A pattern and what is done where it fits.
#[derive(Debug)]
pub(crate) struct Rule {
    pub(crate) pattern: Pattern,
    pub(crate) body: Vec<Stmt>,
}

#[derive(Debug)]
pub(crate) enum Pattern {
    Always,
    When(Expr),
    /// From a line to a line.
    Range(Expr, Expr),
}

#[derive(Debug)]
pub(crate) struct Function {
    pub(crate) params: usize,
    pub(crate) body: Vec<Stmt>,
}

#[derive(Debug)]
pub(crate) enum Stmt {
    Expr(Expr),
    Print(Vec<Expr>, Option<Redirect>),
    Printf(Vec<Expr>, Option<Redirect>),
    If(Expr, Vec<Stmt>, Vec<Stmt>),
    While(Expr, Vec<Stmt>),
    Do(Vec<Stmt>, Expr),
    For(Vec<Stmt>, Option<Expr>, Vec<Stmt>, Vec<Stmt>),
    ForIn(Var, Var, Vec<Stmt>),
    Delete(Var, Vec<Expr>),
    Next,
    NextFile,
    Exit(Option<Expr>),
    Return(Option<Expr>),
    Break,
    Continue,
}

/// Where `print` goes.
#[derive(Debug)]
pub(crate) struct Redirect {
    pub(crate) kind: RedirectKind,
    pub(crate) target: Expr,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RedirectKind {
    Write,
    Append,
    Pipe,
}

/// A variable's slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Var {
    Global(usize),
    Local(usize),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Binary {
    Add,
    Sub,
    Mul,
    Div,
    Mod,
    Pow,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Compare {
    Lt,
    Le,
    Eq,
    Ne,
    Gt,
    Ge,
}

/// What `getline` reads from.
#[derive(Debug)]
pub(crate) enum Source {
    Input,
    File(Box<Expr>),
    Command(Box<Expr>),
}

#[derive(Debug)]
pub(crate) enum Expr {
    Num(f64),
    Str(Rc<[u8]>),
    Regex(Rc<Re>),
    Var(Var),
    Field(Box<Expr>),
    Index(Var, Vec<Expr>),
    Assign(Box<Expr>, Option<Binary>, Box<Expr>),
    Step {
        target: Box<Expr>,
        by: f64,
        before: bool,
    },
    Cond(Box<Expr>, Box<Expr>, Box<Expr>),
    And(Box<Expr>, Box<Expr>),
    Or(Box<Expr>, Box<Expr>),
    Not(Box<Expr>),
    Neg(Box<Expr>),
    Plus(Box<Expr>),
    Binary(Binary, Box<Expr>, Box<Expr>),
    Compare(Compare, Box<Expr>, Box<Expr>),
    Concat(Box<Expr>, Box<Expr>),
    /// Whether it matches, or with `false` does not.
    Match(bool, Box<Expr>, Box<Expr>),
    In(Vec<Expr>, Var),
    Call(usize, Vec<Expr>),
    Builtin(Builtin, Vec<Expr>),
    Getline(Source, Option<Box<Expr>>),
    Group(Box<Expr>),
}

macro_rules! builtins {
    ($($name:ident $text:literal $least:literal $most:literal;)*) => {
        /// A function of the language.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Builtin { $($name),* }

        impl Builtin {
            /// By its name, with the least and the largest number of arguments.
            pub(crate) fn named(name: &str) -> Option<(Self, usize, usize)> {
                match name {
                    $($text => Some((Self::$name, $least, $most)),)*
                    _ => None,
                }
            }
        }
    };
}

builtins! {
    And "and" 2 9;
    Asort "asort" 1 2;
    Asorti "asorti" 1 2;
    Atan2 "atan2" 2 2;
    Close "close" 1 2;
    Compl "compl" 1 1;
    Cos "cos" 1 1;
    Exp "exp" 1 1;
    Fflush "fflush" 0 1;
    Gensub "gensub" 3 4;
    Gsub "gsub" 2 3;
    Index "index" 2 2;
    Int "int" 1 1;
    Length "length" 0 1;
    Log "log" 1 1;
    Lshift "lshift" 2 2;
    Match "match" 2 3;
    Mktime "mktime" 1 2;
    Or "or" 2 9;
    Rand "rand" 0 0;
    Rshift "rshift" 2 2;
    Sin "sin" 1 1;
    Split "split" 2 3;
    Sprintf "sprintf" 1 99;
    Sqrt "sqrt" 1 1;
    Srand "srand" 0 1;
    Strftime "strftime" 0 3;
    Strtonum "strtonum" 1 1;
    Sub "sub" 2 3;
    Substr "substr" 2 3;
    System "system" 1 1;
    Systime "systime" 0 0;
    Tolower "tolower" 1 1;
    Toupper "toupper" 1 1;
    Xor "xor" 2 9;
}
