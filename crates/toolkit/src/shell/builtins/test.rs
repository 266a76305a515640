//! `test` and `[` (POSIX, XCU test), with the operators of bash.

use super::{Context, complain};
use brush_core::{Error, ExecutionResult, tests};
use brush_parser::{
    ast::{BinaryPredicate, TestExpr},
    test_command,
};

pub(super) fn test(context: Context<'_>, words: &[String]) -> Result<ExecutionResult, Error> {
    let words = match words.split_last() {
        _ if context.command_name != "[" => words,
        Some((last, words)) if last == "]" => words,
        _ => return Ok(complain(&context, "missing `]'", 2)),
    };
    let Ok(expression) = test_command::parse(words) else {
        return Ok(complain(&context, misunderstood(words), 2));
    };
    if let Some(word) = first_bad_number(&expression) {
        return Ok(complain(&context, format!("{word}: integer expression expected"), 2));
    }
    let holds = tests::eval_expr(&expression, context.shell, &context.params)?;
    Ok(ExecutionResult::new(u8::from(!holds)))
}

/// What is wrong with words that are no expression, as bash says it.
fn misunderstood(words: &[String]) -> String {
    let words = match words {
        [first, rest @ ..] if first == "!" => rest,
        words => words,
    };
    match words {
        [operator, _] => format!("{operator}: unary operator expected"),
        [_, operator, _] => format!("{operator}: binary operator expected"),
        [] | [_] => "argument expected".to_owned(),
        [..] => "too many arguments".to_owned(),
    }
}

/// The first operand of an arithmetic comparison that is no number. Both sides of `-a` and `-o` count.
fn first_bad_number(expression: &TestExpr) -> Option<&str> {
    use BinaryPredicate as P;
    match expression {
        TestExpr::And(left, right) | TestExpr::Or(left, right) => {
            first_bad_number(left).or_else(|| first_bad_number(right))
        }
        TestExpr::Not(inner) | TestExpr::Parenthesized(inner) => first_bad_number(inner),
        TestExpr::BinaryTest(
            P::ArithmeticEqualTo
            | P::ArithmeticNotEqualTo
            | P::ArithmeticLessThan
            | P::ArithmeticLessThanOrEqualTo
            | P::ArithmeticGreaterThan
            | P::ArithmeticGreaterThanOrEqualTo,
            left,
            right,
        ) => [left, right]
            .into_iter()
            .find(|word| word.trim().parse::<i64>().is_err())
            .map(String::as_str),
        _ => None,
    }
}
