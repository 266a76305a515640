//! `eval` (POSIX, XCU eval).

use super::Context;
use brush_core::{Error, ExecutionResult};

pub(super) async fn eval(
    context: Context<'_>,
    words: Vec<String>,
) -> Result<ExecutionResult, Error> {
    let words = match words.as_slice() {
        [first, rest @ ..] if first == "--" => rest,
        words => words,
    };
    let shell = context.shell;
    let place = shell.call_stack().current_pos_as_source_info();
    // `set -x` says by another sign that this is not the script itself.
    *shell.trace_depth_mut() += 1;
    let result = shell.run_string(words.join(" "), &place, &context.params).await;
    *shell.trace_depth_mut() -= 1;
    result
}
