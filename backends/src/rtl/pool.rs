//! The instance of a pool with a window.

use nonresc_ir::stream::{Pool, pool_actions};
use nonresc_passes::area::Role;
use nonresc_passes::control::{Control, Refusal, unsigned};

use super::actor::Making;

impl Making<'_> {
    pub(super) fn pool(&mut self, a: &Pool, control: &Control) -> Result<(), Refusal> {
        self.made.module = "pool";
        let (memory, slots, given) = (self.memory(0), pool_actions(a).slots, control.given);
        let ways = self.ways()?;
        let Some(folded) = ways.folded else {
            return Err(("it is no pool of whole numbers".into(), "report this with the model"));
        };
        let (kernel, lanes_out) = (a.window.kernel, self.output(0).map_or(1, |c| c.lanes));
        self.number("LARGEST", u8::from(folded.largest));
        self.input_numbers();
        self.number("ZERO", folded.taken_off);
        self.number("NUMBER", folded.number);
        self.number("ALONG", folded.along);
        self.number("KEPT", folded.kept);
        self.number("CHANNELS", a.input.channels);
        self.number("BEATS", memory.beats);
        self.number("READ", unsigned(memory.beats as u64 - 1));
        self.number("OUT_WIDTH", a.output.width);
        self.number("OUT_HEIGHT", a.output.height);
        self.number("SLOTS", slots.w);
        self.number("OPEN", slots.h);
        self.number("ACROSS", u8::from(kernel.w > 1));
        self.number("TALL", u8::from(kernel.h > 1));
        self.number("LATER", u8::from(given.later));
        self.number("APART", u8::from(given.apart));
        if kernel.w > 1 {
            self.style("ALONG_STYLE", Role::Private(self.actor), 0);
        }
        if kernel.h > 1 || given.later {
            self.style("DOWN_STYLE", Role::Private(self.actor), usize::from(kernel.w > 1));
        }
        self.number("OUT_LANES", lanes_out);
        let bits_out = self.output(0).map_or(8, |c| c.bits);
        self.number("OUT_BITS", bits_out);
        self.number("BEAT", unsigned(a.output.channels.div_ceil(lanes_out) as u64 - 1));
        self.codes(ways.last.as_ref(), lanes_out, 0)?;
        self.gathers(&memory, control);
        self.program(control);
        Ok(())
    }
}
