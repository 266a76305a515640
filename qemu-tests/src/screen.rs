//! What a person in front of the machine sees.

use crate::qmp::Qmp;
use anyhow::{Context, Result, ensure};
use serde_json::json;
use std::{fs, path::Path};

/// The VGA text buffer: physical address and length in bytes.
const TEXT: (u64, usize) = (0xb8000, 0x8000);

/// Columns of the text screen.
const COLUMNS: usize = 80;

/// Saves a picture of the screen as PNG.
pub fn picture(qmp: &mut Qmp, path: &Path) -> Result<()> {
    qmp.execute("screendump", json!({ "filename": path, "format": "png" }))?;
    let size = fs::metadata(path).with_context(|| path.display().to_string())?.len();
    ensure!(size > 1000, "{}: only {size} bytes", path.display());
    Ok(())
}

/// The rows of the VGA text buffer, from its start; what is visible is among them, because the kernel
/// scrolls by moving the start of the picture. Only for machines in text mode (BIOS without a frame buffer).
pub fn rows(qmp: &mut Qmp, scratch: &Path) -> Result<Vec<String>> {
    let (address, length) = TEXT;
    qmp.execute("pmemsave", json!({ "val": address, "size": length, "filename": scratch }))?;
    let cells = fs::read(scratch).with_context(|| scratch.display().to_string())?;
    Ok(text(&cells))
}

/// Cells are a character in code page 437 and its colours, two bytes.
fn text(cells: &[u8]) -> Vec<String> {
    let shown = |cell: &[u8]| match cell.first() {
        Some(c @ 0x20..=0x7e) => char::from(*c),
        Some(0) | None => ' ',
        Some(_) => '?',
    };
    let rows = cells.chunks(2 * COLUMNS).map(|row| row.chunks(2).map(shown).collect::<String>());
    rows.map(|row| row.trim_end().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_cells() {
        let mut cells: Vec<u8> = b"XB-NET-03".iter().flat_map(|c| [*c, 7]).collect();
        cells.resize(4 * COLUMNS, 0);
        assert_eq!(text(&cells), ["XB-NET-03", ""]);
    }
}
