//! What is reported is not lost, though the server is killed while a script reports.

use anyhow::{Result, ensure};
use qemu_tests::{
    Bundle, Nic, Operator, Scenario, Vm,
    wait::{BOOT, RETRY, SOON, wait_until},
};

const LINES: usize = 400;

#[test]
fn the_server_is_killed_while_a_script_reports() -> Result<()> {
    Scenario::run("reports", |at| {
        let mut operator = Operator::start(at)?;
        let mut vm = Vm::new(at, "vm").cd(operator.image()?).nic(Nic::User).start()?;
        operator.approve("cupboard")?;
        vm.expect("phase wait", BOOT)?;
        let script = format!(
            "xb progress 10 counting\ni=0\nwhile [ $i -lt {LINES} ]; do i=$((i+1)); echo line $i; \
             [ $((i % 20)) = 0 ] && sleep 0.3; done\nxb report lines=$i\nxb progress 100 counted"
        );
        operator.order(&Bundle::new("count", &script))?;
        for line in [40, 160, 280] {
            vm.expect(&format!("script: line {line}"), RETRY)?;
            operator.server.kill();
            vm.expect(&format!("script: line {}", line + 40), SOON)?;
            operator.server.start_again()?;
        }
        vm.expect(&format!("script: line {LINES}"), SOON)?;

        let log = wait_until("the whole log at the server", RETRY, || {
            let log = operator.text(&["run", "log", "--machine", "cupboard"])?;
            Ok(log.contains(&format!("line {LINES}")).then_some(log))
        })?;
        let mut from = 0;
        for line in 1..=LINES {
            let wanted = format!("line {line}\n");
            let found = log[from..].find(&wanted);
            ensure!(found.is_some(), "{wanted:?} is missing or out of order:\n{log}");
            from += found.unwrap_or(0) + wanted.len();
        }
        for line in [1, LINES / 2, LINES] {
            let times = log.matches(&format!("line {line}\n")).count();
            ensure!(times == 1, "line {line} was stored {times} times");
        }
        let run = wait_until("the report", RETRY, || {
            let run = operator.text(&["run", "show", "--machine", "cupboard"])?;
            Ok(run.contains("lines").then_some(run))
        })?;
        ensure!(run.contains(&LINES.to_string()), "the report is not shown: {run}");
        Ok(())
    })
}
