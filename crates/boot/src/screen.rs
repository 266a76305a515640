//! The picture as the running kernel was given it: `screen_info` (kernel: `include/uapi/linux/screen_info.h`), the
//! beginning of its parameters.

use crate::{
    bytes,
    multiboot::{Framebuffer, Pixels},
};

/// Bytes of `screen_info`.
pub(crate) const SIZE: usize = 0x40;

// What `orig_video_isVGA` says of the screen.
const VGA_TEXT: u8 = 0x01;
const VESA: u8 = 0x23;
const EFI: u8 = 0x70;
/// In `capabilities`: the address has 64 bits.
const WIDE: u32 = 1 << 1;

/// The picture by the running kernel's parameters; `None` when it has none, or one that others do not know.
#[must_use]
pub fn of(params: &[u8]) -> Option<Framebuffer> {
    match bytes::u8(params, 0x0F)? {
        VGA_TEXT => Some(Framebuffer::TEXT),
        VESA | EFI => {
            let high = match bytes::u32(params, 0x36)? & WIDE {
                0 => 0,
                _ => u64::from(bytes::u32(params, 0x3A)?),
            };
            // Of each colour how many bits, then the lowest: Multiboot has them the other way round.
            let of = |at| Some([bytes::u8(params, at + 1)?, bytes::u8(params, at)?]);
            let [red, green, blue] = [of(0x26)?, of(0x28)?, of(0x2A)?];
            let framebuffer = Framebuffer {
                address: high << 32 | u64::from(bytes::u32(params, 0x18)?),
                pitch: bytes::u16(params, 0x24)?.into(),
                width: bytes::u16(params, 0x12)?.into(),
                height: bytes::u16(params, 0x14)?.into(),
                depth: u8::try_from(bytes::u16(params, 0x16)?).ok()?,
                pixels: Pixels::Rgb([red, green, blue].concat().try_into().ok()?),
            };
            Some(framebuffer).filter(|f| f.address > 0 && f.width > 0 && f.height > 0)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_is_handed_on_as_it_is() {
        let mut params = vec![0; 4096];
        assert_eq!(of(&params), None);
        params[0x0F] = VGA_TEXT;
        assert_eq!(of(&params), Some(Framebuffer::TEXT));
        params[0x0F] = EFI;
        assert_eq!(of(&params), None, "it has no address");
        for (at, value) in [(0x12, 1280_u16), (0x14, 800), (0x16, 32), (0x24, 5120)] {
            bytes::put(&mut params, at, &value.to_le_bytes());
        }
        bytes::put(&mut params, 0x18, &0x8000_0000_u32.to_le_bytes());
        bytes::put(&mut params, 0x26, &[8, 16, 8, 8, 8, 0]);
        bytes::put(&mut params, 0x3A, &1_u32.to_le_bytes());
        let found = of(&params).unwrap();
        assert_eq!((found.address, found.width, found.height), (0x8000_0000, 1280, 800));
        assert_eq!(found.pixels, Pixels::Rgb([16, 8, 8, 8, 0, 8]));
        bytes::put(&mut params, 0x36, &WIDE.to_le_bytes());
        assert_eq!(of(&params).unwrap().address, 0x1_8000_0000);
        assert_eq!(of(&params[..0x20]), None);
    }
}
