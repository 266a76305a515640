//! Execution support for shell.

use std::{io::Read, path::Path};

use crate::{
    ExecutionControlFlow, ExecutionParameters, ExecutionResult, ProcessGroupPolicy, SourceInfo,
    arithmetic::Evaluatable as _, callstack, error, interp::Execute as _, openfiles,
};

impl<SE: crate::extensions::ShellExtensions> crate::Shell<SE> {
    /// Returns the default execution parameters for this shell.
    pub fn default_exec_params(&self) -> ExecutionParameters {
        let mut params = ExecutionParameters::default();
        params.process_group_policy = self.process_group_policy();
        params
    }

    /// Whether each job has a process group of its own.
    pub(crate) const fn process_group_policy(&self) -> ProcessGroupPolicy {
        if self.options.enable_job_control {
            ProcessGroupPolicy::NewProcessGroup
        } else {
            ProcessGroupPolicy::SameProcessGroup
        }
    }

    pub(super) async fn source_if_exists(
        &mut self,
        path: impl AsRef<Path>,
        params: &ExecutionParameters,
    ) -> Result<bool, error::Error> {
        let path = path.as_ref();
        if path.exists() {
            self.source_script(path, std::iter::empty::<String>(), params)
                .await?;
            Ok(true)
        } else {
            tracing::debug!("skipping non-existent file: {}", path.display());
            Ok(false)
        }
    }

    /// Source the given file as a shell script, returning the execution result.
    ///
    /// # Arguments
    ///
    /// * `path` - The path to the file to source.
    /// * `args` - The arguments to pass to the script as positional parameters.
    /// * `params` - Execution parameters.
    pub async fn source_script<S: Into<String>, P: AsRef<Path>, I: Iterator<Item = S>>(
        &mut self,
        path: P,
        args: I,
        params: &ExecutionParameters,
    ) -> Result<ExecutionResult, error::Error> {
        self.parse_and_execute_script_file(
            path.as_ref(),
            args,
            params,
            callstack::ScriptCallType::Source,
        )
        .await
    }

    /// Parse and execute the given file as a shell script, returning the execution result.
    ///
    /// # Arguments
    ///
    /// * `path` - The path to the file to source.
    /// * `args` - The arguments to pass to the script as positional parameters.
    /// * `params` - Execution parameters.
    /// * `call_type` - The type of script call being made.
    async fn parse_and_execute_script_file<
        S: Into<String>,
        P: AsRef<Path>,
        I: Iterator<Item = S>,
    >(
        &mut self,
        path: P,
        args: I,
        params: &ExecutionParameters,
        call_type: callstack::ScriptCallType,
    ) -> Result<ExecutionResult, error::Error> {
        let found = self.find_script(path.as_ref(), call_type);
        let path = found.as_path();
        tracing::debug!("sourcing: {}", path.display());

        let mut options = std::fs::File::options();
        options.read(true);

        let opened_file: openfiles::OpenFile = self
            .open_file(&options, path, params)
            .map_err(|e| error::ErrorKind::FailedSourcingFile(path.to_owned(), e))?;

        if opened_file.is_dir() {
            return Err(error::ErrorKind::FailedSourcingFile(
                path.to_owned(),
                std::io::Error::from(std::io::ErrorKind::IsADirectory),
            )
            .into());
        }

        let source_info = crate::SourceInfo::from(path.to_owned());

        let mut result = self
            .source_file(opened_file, &source_info, args, params, call_type)
            .await?;

        // Handle control flow at script execution boundary. If execution completed
        // with a `return`, we need to clear it since it's already been "used". All
        // other control flow types are preserved.
        if matches!(
            result.next_control_flow,
            ExecutionControlFlow::ReturnFromFunctionOrScript
        ) {
            result.next_control_flow = ExecutionControlFlow::Normal;
        }

        Ok(result)
    }

    /// Where a script to source lies: a name without a slash is looked for in `PATH`, and then in
    /// the working directory.
    fn find_script(&self, path: &Path, call_type: callstack::ScriptCallType) -> std::path::PathBuf {
        let plain = !path.as_os_str().as_encoded_bytes().contains(&b'/');
        if plain && matches!(call_type, callstack::ScriptCallType::Source) {
            let folders = self.env_str("PATH").unwrap_or_default().into_owned();
            let places = folders.split(':').map(|folder| self.absolute_path(Path::new(folder)));
            if let Some(found) = places.map(|folder| folder.join(path)).find(|file| file.is_file()) {
                return found;
            }
        }
        path.to_owned()
    }

    /// Source the given file as a shell script, returning the execution result.
    ///
    /// # Arguments
    ///
    /// * `file` - The file to source.
    /// * `source_info` - Information about the source of the script.
    /// * `args` - The arguments to pass to the script as positional parameters.
    /// * `params` - Execution parameters.
    /// * `call_type` - The type of script call being made.
    async fn source_file<F: Read, S: Into<String>, I: Iterator<Item = S>>(
        &mut self,
        file: F,
        source_info: &crate::SourceInfo,
        args: I,
        params: &ExecutionParameters,
        call_type: callstack::ScriptCallType,
    ) -> Result<ExecutionResult, error::Error> {
        let mut file = file;
        let mut text = Vec::new();
        file.read_to_end(&mut text)?;
        let text = String::from_utf8(text)
            .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned());
        if self.options.print_shell_input_lines {
            let _ = std::io::Write::write_all(&mut params.stderr(self), text.as_bytes());
        }

        let script_positional_args = args.map(Into::into);

        self.call_stack
            .push_script(call_type, source_info, script_positional_args);

        let result = self.run_text(&text, source_info, params).await;

        self.call_stack.pop();

        result
    }

    /// Executes the given string as a shell program, returning the resulting exit status.
    ///
    /// # Arguments
    ///
    /// * `command` - The command to execute.
    /// * `source_info` - Information about the source of the command text.
    /// * `params` - Execution parameters.
    pub async fn run_string<S: Into<String>>(
        &mut self,
        command: S,
        source_info: &crate::SourceInfo,
        params: &ExecutionParameters,
    ) -> Result<ExecutionResult, error::Error> {
        self.run_text(&command.into(), source_info, params).await
    }

    /// Runs a program; where something in it is none, what stands before that is run.
    async fn run_text(
        &mut self,
        text: &str,
        source_info: &crate::SourceInfo,
        params: &ExecutionParameters,
    ) -> Result<ExecutionResult, error::Error> {
        if !self.minds_aliases(text) {
            let parsed = self.parse_to_end(text, params);
            // A program of one line is run as a whole, or not at all.
            if parsed.is_ok() || !text.trim_end().contains('\n') {
                return self.run_parsed_result(parsed, source_info, params).await;
            }
        }
        self.run_by_command(text, source_info, params).await
    }

    /// Parses a program after which there is no more: its end ends here-documents, too.
    fn parse_to_end(
        &self,
        text: &str,
        params: &ExecutionParameters,
    ) -> Result<brush_parser::ast::Program, brush_parser::ParseError> {
        const MOST: usize = 16;

        let mut parsed = self.parse_string(text);
        let mut text = std::borrow::Cow::Borrowed(text);
        let mut ended = vec![];
        for _ in 0..MOST {
            let Err(brush_parser::ParseError::Tokenizing {
                inner: brush_parser::TokenizerError::UnterminatedHereDocuments(tags, _),
                ..
            }) = &parsed
            else {
                break;
            };
            let tag = brush_parser::unquote_str(tags.split(", ").next().unwrap_or_default());
            let newline = if text.ends_with('\n') { "" } else { "\n" };
            text = format!("{text}{newline}{tag}\n").into();
            parsed = self.parse_string(text.as_ref());
            ended.push(tag);
        }
        if parsed.is_ok() {
            let name = self.current_shell_name().unwrap_or_default();
            for tag in ended {
                let _ = std::io::Write::write_fmt(
                    &mut params.stderr(self),
                    format_args!(
                        "{name}: warning: here-document delimited by end-of-file (wanted `{tag}')\n"
                    ),
                );
            }
        }
        parsed
    }

    /// Runs a program command by command: each is parsed when those before it have run, which may
    /// have defined aliases.
    async fn run_by_command(
        &mut self,
        text: &str,
        source_info: &crate::SourceInfo,
        params: &ExecutionParameters,
    ) -> Result<ExecutionResult, error::Error> {
        let mut result = ExecutionResult::success();
        // Every line before it, so that places are right.
        let mut lines_before = String::new();
        let mut rest = text;
        while !rest.is_empty() {
            let mut end = 0;
            let (command, mut parsed) = loop {
                end += rest[end..].find('\n').map_or(rest.len() - end, |at| at + 1);
                let command = &rest[..end];
                let expanded = self.expand_aliases(command);
                let parsed = self.parse_string(format!("{lines_before}{expanded}"));
                if end == rest.len() || !Self::wants_more(&parsed, command) {
                    break (command, parsed);
                }
            };
            if parsed.is_err() && end == rest.len() {
                let expanded = self.expand_aliases(command);
                parsed = self.parse_to_end(&format!("{lines_before}{expanded}"), params);
            }
            let ends = parsed.is_err();
            result = self.run_parsed_result(parsed, source_info, params).await?;
            if ends || !result.is_normal_flow() {
                break;
            }
            lines_before.extend(command.matches('\n'));
            rest = &rest[end..];
        }
        Ok(result)
    }

    /// Executes the given command, provided to a shell executable on the command
    /// line (i.e., via `-c`).
    ///
    /// It is expected that the shell will not be used for any further execution
    /// after this command; this function will perform any necessary shell exit
    /// handling.
    ///
    /// # Arguments
    ///
    /// * `command` - The command to execute.
    pub async fn run_dash_c_command<S: Into<String>>(
        &mut self,
        command: S,
    ) -> Result<ExecutionResult, error::Error> {
        self.start_command_string_mode();

        // Execute the command string.
        let params = self.default_exec_params();
        let source_info = SourceInfo::from("-c");
        let result = self.run_string(command, &source_info, &params).await?;

        self.end_command_string_mode()?;

        // Give the shell a chance to run on-exit tasks, but ignore the result.
        let _ = self.on_exit().await;

        Ok(result)
    }

    /// Executes the given script file, returning the resulting exit status.
    ///
    /// It is expected that the shell will not be used for any further execution
    /// after this command; this function will perform any necessary shell exit
    /// handling.
    ///
    /// # Arguments
    ///
    /// * `script_path` - The path to the script file to execute.
    /// * `args` - The arguments to pass to the script as positional parameters.
    pub async fn run_script<S: Into<String>, P: AsRef<Path>, I: Iterator<Item = S>>(
        &mut self,
        script_path: P,
        args: I,
    ) -> Result<ExecutionResult, error::Error> {
        let params = self.default_exec_params();
        let result = self
            .parse_and_execute_script_file(
                script_path.as_ref(),
                args,
                &params,
                callstack::ScriptCallType::Run,
            )
            .await?;

        // Give the shell a chance to run on-exit tasks, but ignore the result.
        let _ = self.on_exit().await;

        Ok(result)
    }

    pub(crate) async fn run_parsed_result(
        &mut self,
        parse_result: Result<brush_parser::ast::Program, brush_parser::ParseError>,
        source_info: &crate::SourceInfo,
        params: &ExecutionParameters,
    ) -> Result<ExecutionResult, error::Error> {
        // If parsing succeeded, run the program. If there's a parse error, it's fatal (per spec).
        let result = match parse_result {
            Ok(prog) => self.run_program(prog, params).await,
            Err(parse_err) => Err(error::Error::from(error::ErrorKind::ParseError(
                parse_err,
                source_info.clone(),
            ))
            .into_fatal()),
        };

        // Report any errors.
        match result {
            Ok(result) => Ok(result),
            Err(err) => {
                let _ = self.display_error(&mut params.stderr(self), &err);

                let result = err.into_result(self);
                self.set_last_exit_status(result.exit_code.into());

                Ok(result)
            }
        }
    }

    /// Executes the given parsed shell program, returning the resulting exit status.
    ///
    /// # Arguments
    ///
    /// * `program` - The program to execute.
    /// * `params` - Execution parameters.
    pub async fn run_program(
        &mut self,
        program: brush_parser::ast::Program,
        params: &ExecutionParameters,
    ) -> Result<ExecutionResult, error::Error> {
        program.execute(self, params).await
    }

    /// Evaluate the given arithmetic expression, returning the result.
    pub fn eval_arithmetic(
        &mut self,
        expr: &brush_parser::ast::ArithmeticExpr,
    ) -> Result<i64, error::Error> {
        Ok(expr.eval(self)?)
    }
}
