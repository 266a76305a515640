//! `:set`.

use super::model::{Editor, Options, Request};

/// An option that is on or off.
fn switch<'a>(options: &'a mut Options, name: &str) -> Option<&'a mut bool> {
    Some(match name {
        "number" | "nu" => &mut options.number,
        "list" => &mut options.list,
        "ignorecase" | "ic" => &mut options.ignorecase,
        "autoindent" | "ai" => &mut options.autoindent,
        "expandtab" | "et" => &mut options.expandtab,
        "wrapscan" | "ws" => &mut options.wrapscan,
        "readonly" | "ro" => &mut options.readonly,
        _ => return None,
    })
}

fn number<'a>(options: &'a mut Options, name: &str) -> Option<&'a mut usize> {
    Some(match name {
        "tabstop" | "ts" => &mut options.tabstop,
        "shiftwidth" | "sw" => &mut options.shiftwidth,
        _ => return None,
    })
}

impl Editor {
    pub(super) fn set(&mut self, args: &str) {
        if matches!(args.trim(), "" | "all") {
            return self.show_options();
        }
        for word in args.split_whitespace() {
            if let Err(said) = self.set_one(word) {
                return self.fail(said);
            }
        }
    }

    fn set_one(&mut self, word: &str) -> Result<(), String> {
        let options = &mut self.options;
        if let Some((name, value)) = word.split_once(['=', ':']) {
            let value = value.parse().ok().filter(|value| (1..=100).contains(value));
            *number(options, name).ok_or_else(|| format!("E518: Unknown option: {name}"))? =
                value.ok_or_else(|| format!("E521: Number from 1 to 100 required: {word}"))?;
            return Ok(());
        }
        let bare = word.trim_end_matches(['!', '?']);
        if word.ends_with('?') {
            let shown = match (switch(options, bare).copied(), number(options, bare).copied()) {
                (Some(on), _) => format!("{}{bare}", if on { "  " } else { "no" }),
                (None, Some(value)) => format!("  {bare}={value}"),
                (None, None) => return Err(format!("E518: Unknown option: {bare}")),
            };
            self.say(shown);
            return Ok(());
        }
        if let Some(option) = switch(options, bare) {
            *option = if word.ends_with('!') { !*option } else { true };
        } else if let Some(option) = word.strip_prefix("no").and_then(|name| switch(options, name))
        {
            *option = false;
        } else {
            return Err(format!("E518: Unknown option: {word}"));
        }
        Ok(())
    }

    fn show_options(&mut self) {
        let mut options = self.options.clone();
        let names =
            ["autoindent", "expandtab", "ignorecase", "list", "number", "readonly", "wrapscan"];
        let mut shown: Vec<String> = names
            .iter()
            .filter_map(|name| {
                let on = *switch(&mut options, name)?;
                Some(format!("{}{name}", if on { "  " } else { "no" }))
            })
            .collect();
        for name in ["shiftwidth", "tabstop"] {
            shown.extend(number(&mut options, name).map(|value| format!("  {name}={value}")));
        }
        self.requests.push(Request::Show(shown));
    }
}
