//! Commands are run.

use super::{
    commands, device,
    environment::Environment,
    expand,
    loading::Loaded,
    parse::{self, Command, List, What},
};
use crate::{
    entry::Fault,
    files::{self, Files, MAX_TEXT, Place},
    scan::Firmware,
};
use std::{collections::BTreeMap, rc::Rc};

/// What may be done for one configuration, in steps of about a command.
const STEPS: usize = 200_000;

/// The same for one entry of its menu.
pub(super) const STEPS_OF_ENTRY: usize = 10_000;

/// What a file counts besides its bytes.
pub(super) const STEPS_OF_FILE: usize = 50;

/// The longest value and argument, bytes.
pub(super) const MAX_VALUE: usize = 64 << 10;

/// So many bytes that are copied or read are a step.
const BYTES_A_STEP: usize = 16;

/// How deep functions, files and menus may call one another.
const MAX_DEPTH: usize = 30;

/// How many lists of commands may be in one another, through all of these.
const MAX_NESTING: usize = 200;

/// The most functions.
const MAX_FUNCTIONS: usize = 1000;

/// The most entries of a menu, and faults that are told.
const MAX_ITEMS: usize = 2000;
const MAX_FAULTS: usize = 100;

/// An entry of the menu, or a menu in it.
#[derive(Clone, Debug)]
pub(super) struct Item {
    pub(super) title: String,
    pub(super) id: String,
    /// What `$1` and so on are in it.
    pub(super) arguments: Vec<String>,
    pub(super) body: Rc<List>,
    pub(super) submenu: bool,
    pub(super) config: Place,
    pub(super) line: usize,
}

/// What happens after a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flow {
    /// The next one.
    Next,
    /// So many loops are left.
    Break(usize),
    /// So many loops less one are left, and the last goes on.
    Continue(usize),
    /// The function or file is left.
    Return,
    /// Everything is over.
    Stop,
}

/// GRUB as far as a configuration can see it.
#[derive(Clone)]
pub(super) struct Machine<'a> {
    pub(super) files: &'a dyn Files,
    /// The device of the configuration.
    pub(super) home: usize,
    pub(super) variables: Environment,
    pub(super) functions: BTreeMap<String, Rc<List>>,
    pub(super) items: Vec<Item>,
    pub(super) loaded: Loaded,
    pub(super) faults: Vec<Fault>,
    /// Files that were read on the way.
    pub(super) read: Vec<Place>,
    /// What is run at the moment, and where it is in it.
    pub(super) config: Place,
    pub(super) line: usize,
    /// Whether the last command succeeded.
    pub(super) status: bool,
    pub(super) parameters: Vec<String>,
    pub(super) left: usize,
    depth: usize,
    nesting: usize,
}

impl<'a> Machine<'a> {
    pub(super) fn new(files: &'a dyn Files, config: &Place, firmware: Firmware) -> Self {
        let mut machine = Self {
            files,
            home: config.device,
            variables: Environment::default(),
            functions: BTreeMap::new(),
            items: Vec::new(),
            loaded: Loaded::default(),
            faults: Vec::new(),
            read: Vec::new(),
            config: config.clone(),
            line: 0,
            status: true,
            parameters: Vec::new(),
            left: STEPS,
            depth: 0,
            nesting: 0,
        };
        machine.built_in(config, firmware);
        machine
    }

    /// What is set before the first command.
    fn built_in(&mut self, config: &Place, firmware: Firmware) {
        let (cpu, platform) = match firmware {
            Firmware::Bios => ("i386", "pc"),
            Firmware::Uefi => ("x86_64", "efi"),
        };
        let root = self.files.devices().get(config.device).map_or("", |device| &device.name);
        let folder = format!("({root}){}", config.parent().path);
        let mut exported = vec![
            ("root", root.to_owned()),
            ("prefix", folder.clone()),
            ("cmdpath", folder),
            ("grub_cpu", cpu.to_owned()),
            ("grub_platform", platform.to_owned()),
        ];
        // All that GRUB 2.12 says of itself.
        for feature in [
            "200_final",
            "all_video_module",
            "chainloader_bpb",
            "default_font_path",
            "menuentry_id",
            "menuentry_options",
            "nativedisk_cmd",
            "ntldr",
            "platform_search_hint",
            "timeout_style",
        ] {
            self.variables.set(&format!("feature_{feature}"), "y");
            self.variables.export(&format!("feature_{feature}"));
        }
        exported.push(("pager", String::new()));
        for (name, value) in exported {
            self.variables.set(name, &value);
            self.variables.export(name);
        }
    }

    /// Runs a configuration as GRUB runs its own.
    pub(super) fn main(&mut self, config: &Place) {
        self.enter(config);
        self.source(config);
    }

    /// Sets what a configuration finds out about itself.
    pub(super) fn enter(&mut self, config: &Place) {
        let name = self.files.devices().get(config.device).map_or("", |device| &device.name);
        let folder = format!("({name}){}", config.parent().path);
        let file = format!("({name}){}", config.path);
        for (name, value) in [("config_file", file), ("config_directory", folder)] {
            self.variables.set(name, &value);
            self.variables.export(name);
        }
    }

    /// Runs a file; false when it cannot be read.
    pub(super) fn source(&mut self, config: &Place) -> bool {
        if self.depth >= MAX_DEPTH {
            self.fault(format!("{} is read from within itself", config.path));
            return false;
        }
        let text = match files::text(self.files, config, MAX_TEXT) {
            Ok(text) => text,
            Err(error) => {
                self.fault(format!("cannot read {}: {error}", config.path));
                return false;
            }
        };
        if !self.spend(STEPS_OF_FILE) || !self.spend_bytes(text.len()) {
            return false;
        }
        let (list, faults) = parse::parse(&text);
        let outer = (std::mem::replace(&mut self.config, config.clone()), self.line);
        for fault in faults {
            self.line = fault.line;
            self.fault(fault.what);
        }
        self.depth += 1;
        self.list(&list);
        self.depth -= 1;
        (self.config, self.line) = outer;
        true
    }

    /// Runs the body of a function or of an entry with its own `$1` and so on.
    pub(super) fn call(&mut self, body: &List, parameters: Vec<String>) -> Flow {
        if self.depth >= MAX_DEPTH {
            self.fault("functions call one another without end".to_owned());
            self.status = false;
            return Flow::Stop;
        }
        let outer = std::mem::replace(&mut self.parameters, parameters);
        self.depth += 1;
        let flow = self.list(body);
        self.depth -= 1;
        self.parameters = outer;
        match flow {
            Flow::Stop => Flow::Stop,
            _ => Flow::Next,
        }
    }

    pub(super) fn list(&mut self, list: &List) -> Flow {
        if self.nesting >= MAX_NESTING {
            self.fault("commands are too deep in one another".to_owned());
            return Flow::Stop;
        }
        self.nesting += 1;
        let over =
            list.iter().map(|command| self.command(command)).find(|flow| *flow != Flow::Next);
        self.nesting -= 1;
        over.unwrap_or(Flow::Next)
    }

    fn command(&mut self, command: &Command) -> Flow {
        if !self.spend(1) {
            return Flow::Stop;
        }
        self.line = command.line;
        match &command.what {
            What::Simple { words, block } => {
                let arguments = expand::arguments(self, words);
                commands::run(self, arguments, block.as_ref())
            }
            What::If { arms, otherwise } => self.conditional(arms, otherwise),
            What::For { name, words, body } => {
                for value in expand::arguments(self, words) {
                    self.variables.set(name, &value);
                    match self.turn(body) {
                        Turn::On => {}
                        Turn::Over(flow) => return flow,
                    }
                }
                Flow::Next
            }
            What::While { until, condition, body } => self.repeated(*until, condition, body),
            What::Function { name, body } => {
                self.status = self.functions.len() < MAX_FUNCTIONS;
                if self.status {
                    self.functions.insert(name.clone(), Rc::clone(body));
                }
                Flow::Next
            }
        }
    }

    fn conditional(&mut self, arms: &[(List, List)], otherwise: &List) -> Flow {
        for (condition, body) in arms {
            match self.list(condition) {
                Flow::Next if self.status => return self.list(body),
                Flow::Next => {}
                flow => return flow,
            }
        }
        self.status = true;
        self.list(otherwise)
    }

    fn repeated(&mut self, until: bool, condition: &List, body: &List) -> Flow {
        loop {
            match self.list(condition) {
                Flow::Next if self.status != until => {}
                Flow::Next => {
                    self.status = true;
                    return Flow::Next;
                }
                flow => return flow,
            }
            match self.turn(body) {
                Turn::On => {}
                Turn::Over(flow) => return flow,
            }
        }
    }

    /// One turn of a loop.
    fn turn(&mut self, body: &List) -> Turn {
        match self.list(body) {
            Flow::Next | Flow::Continue(0 | 1) if self.spend(1) => Turn::On,
            Flow::Next | Flow::Continue(0 | 1) => Turn::Over(Flow::Stop),
            Flow::Break(0 | 1) => Turn::Over(Flow::Next),
            Flow::Break(loops) => Turn::Over(Flow::Break(loops - 1)),
            Flow::Continue(loops) => Turn::Over(Flow::Continue(loops - 1)),
            flow => Turn::Over(flow),
        }
    }

    /// Takes steps off what is left; false when nothing is, which is said once.
    pub(super) fn spend(&mut self, steps: usize) -> bool {
        if self.left == 0 {
            return false;
        }
        self.left = self.left.saturating_sub(steps);
        if self.left == 0 {
            self.fault("it does not come to an end; what follows is left out".to_owned());
        }
        self.left > 0
    }

    /// Takes what so many bytes count.
    pub(super) fn spend_bytes(&mut self, bytes: usize) -> bool {
        self.spend(bytes.div_ceil(BYTES_A_STEP))
    }

    pub(super) fn fault(&mut self, what: String) {
        self.tell(Fault { config: self.config.clone(), line: self.line, what });
    }

    /// Adds a fault, unless there are enough.
    pub(super) fn tell(&mut self, fault: Fault) {
        if self.faults.len() < MAX_FAULTS && !self.faults.contains(&fault) {
            self.faults.push(fault);
        }
    }

    pub(super) fn add(&mut self, item: Item) {
        if self.items.len() < MAX_ITEMS {
            self.items.push(item);
        }
    }

    /// What a variable stands for; of `$@` each is a word of its own.
    pub(super) fn values(&self, name: &str, quoted: bool) -> Vec<String> {
        let parameters = || self.parameters.iter().cloned();
        match name {
            "?" => vec![if self.status { "0" } else { "1" }.to_owned()],
            "#" => vec![self.parameters.len().to_string()],
            "*" if quoted => vec![self.parameters.join(" ")],
            "@" | "*" => parameters().collect(),
            _ => match name.parse::<usize>() {
                Ok(0) => vec![self.variables.get("0").unwrap_or_default().to_owned()],
                Ok(number) => parameters().nth(number - 1).into_iter().collect(),
                Err(_) => vec![self.variables.get(name).unwrap_or_default().to_owned()],
            },
        }
    }

    /// What is copied for an entry's commands, in steps.
    pub(super) fn size(&self) -> usize {
        let parameters: usize = self.parameters.iter().map(String::len).sum();
        let names = self.variables.len() + self.functions.len() + self.parameters.len();
        names / 8 + (self.variables.bytes() + parameters) / (BYTES_A_STEP * 16)
    }

    pub(super) fn variable(&self, name: &str) -> &str {
        self.variables.get(name).unwrap_or_default()
    }

    /// A device by its name; without one that of `$root`.
    pub(super) fn device(&self, name: Option<&str>) -> Option<usize> {
        let name = name.unwrap_or_else(|| self.variable("root"));
        let name = name.trim_start_matches('(').trim_end_matches(')');
        if name.is_empty() { Some(self.home) } else { device::find(self.files, name, self.home) }
    }

    /// The file that a path means.
    pub(super) fn place(&self, path: &str) -> Result<Place, String> {
        let (name, rest) = device::split(path).unwrap_or((None, path));
        let device = self.device(name).ok_or_else(|| {
            format!("there is no device {}", name.unwrap_or_else(|| self.variable("root")))
        })?;
        Ok(Place::new(device, rest))
    }
}

/// After a turn of a loop.
enum Turn {
    On,
    Over(Flow),
}
