//! The expression: what is asked of each file, and what is done with it.

use super::{
    criteria::{Criterion, Tables},
    entry::Entry,
    exec::Exec,
    list::{self, Widths},
    messages,
    outputs::{Output, Outputs},
    printf::Format,
    walk::Next,
};
use rustix::{
    fs::{AtFlags, FileType, unlinkat},
    io::Errno,
};

pub(crate) enum Expr {
    Not(Box<Expr>),
    And(Vec<Expr>),
    Or(Vec<Expr>),
    /// Each is evaluated, the last one counts.
    List(Vec<Expr>),
    Is(Criterion),
    Do(Action),
}

pub(crate) enum Action {
    /// The path, and what ends it.
    Print(Output, u8),
    Printf(Output, Format),
    Ls(Output),
    Delete,
    Exec(Exec),
    Prune,
    Quit,
}

/// What goes on from file to file.
pub(crate) struct Run {
    pub(crate) outputs: Outputs,
    pub(crate) tables: Tables,
    pub(crate) widths: Widths,
    /// Something did not work, which was told.
    pub(crate) failed: bool,
    next: Next,
}

impl Run {
    pub(crate) fn new(outputs: Outputs) -> Self {
        let (tables, widths) = (Tables::default(), Widths::default());
        Self { outputs, tables, widths, failed: false, next: Next::On }
    }

    /// Asks and does everything with one file; the result is how the walk goes on.
    pub(crate) fn visit(&mut self, expression: &Expr, entry: &Entry<'_>) -> Next {
        self.next = Next::On;
        self.holds(expression, entry);
        self.next
    }

    /// Once nothing more may be done, nothing more holds.
    fn holds(&mut self, expression: &Expr, entry: &Entry<'_>) -> bool {
        match expression {
            Expr::Not(inner) => !self.holds(inner, entry),
            Expr::And(all) => all.iter().all(|one| self.holds(one, entry) && !self.over()),
            Expr::Or(any) => any.iter().any(|one| self.holds(one, entry) || self.over()),
            Expr::List(several) => {
                let mut last = false;
                for one in several {
                    last = self.holds(one, entry);
                    if self.over() {
                        break;
                    }
                }
                last
            }
            Expr::Is(criterion) => match criterion.holds(entry, &self.tables) {
                Ok(holds) => holds,
                Err(error) => {
                    self.complain(entry, error);
                    false
                }
            },
            Expr::Do(action) => self.act(action, entry),
        }
    }

    fn over(&self) -> bool {
        self.next == Next::Quit
    }

    fn act(&mut self, action: &Action, entry: &Entry<'_>) -> bool {
        match action {
            Action::Print(output, end) => {
                let terminal = *end == b'\n' && self.outputs.is_terminal(*output);
                let mut line = messages::for_terminal(&entry.path(), terminal);
                line.push(*end);
                self.outputs.write(*output, &line);
                true
            }
            Action::Printf(output, format) => {
                let terminal = self.outputs.is_terminal(*output);
                match format.text(entry, &self.tables, terminal) {
                    Ok(text) => self.outputs.write(*output, &text),
                    Err(error) => self.complain(entry, error),
                }
                if format.flushes() {
                    self.outputs.flush();
                }
                true
            }
            Action::Ls(output) => {
                match list::line(entry, &self.tables, &mut self.widths) {
                    Ok(line) => self.outputs.write(*output, &line),
                    Err(error) => self.complain(entry, error),
                }
                true
            }
            Action::Delete => match delete(entry) {
                Ok(()) => true,
                Err(error) => {
                    self.failed = true;
                    let (path, why) = (entry.path(), std::io::Error::from(error));
                    messages::failed_to("cannot delete ", &path, &why);
                    false
                }
            },
            Action::Exec(exec) => {
                self.outputs.flush();
                exec.with(entry, &mut self.failed)
            }
            Action::Prune => {
                self.next = Next::Prune;
                true
            }
            Action::Quit => {
                self.next = Next::Quit;
                true
            }
        }
    }

    fn complain(&mut self, entry: &Entry<'_>, error: Errno) {
        self.failed = true;
        messages::failed(&entry.path(), error.into());
    }
}

/// Removes a file or an empty folder by its folder, whatever its path leads to meanwhile.
fn delete(entry: &Entry<'_>) -> Result<(), Errno> {
    let name = &entry.node.name;
    // Where it was begun cannot be removed from within.
    if name.as_encoded_bytes() == b"." {
        return Ok(());
    }
    if entry.kind()? != FileType::Directory {
        return unlinkat(entry.folder, name, AtFlags::empty());
    }
    match unlinkat(entry.folder, name, AtFlags::REMOVEDIR) {
        // A link to a folder that was followed.
        Err(Errno::NOTDIR) => unlinkat(entry.folder, name, AtFlags::empty()),
        result => result,
    }
}

impl Expr {
    /// Every action in it.
    pub(crate) fn actions(&self) -> Vec<&Action> {
        match self {
            Self::Not(inner) => inner.actions(),
            Self::And(all) | Self::Or(all) | Self::List(all) => {
                all.iter().flat_map(Self::actions).collect()
            }
            Self::Is(_) => Vec::new(),
            Self::Do(action) => vec![action],
        }
    }
}
