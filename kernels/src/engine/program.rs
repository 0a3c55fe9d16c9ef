//! What an analysis asks of the engine: a list of steps over handles, carried out in order.

use super::memory::{Buffer, Sampler, Texture};
use crate::table::Kernel;

/// Offsets of uniforms that every device takes.
const UNIFORM_ALIGNMENT: usize = 256;

/// Most workgroups along one direction that every Vulkan device takes.
pub(super) const GROUPS_PER_DIRECTION: u32 = 65_535;

/// Something a kernel is given, in the order of its row.
#[derive(Clone, Debug)]
pub(crate) enum Binding {
    Buffer { buffer: Buffer, bytes: std::ops::Range<u64> },
    Uniform { offset: u64, bytes: u64 },
    Texture(Texture),
    Sampler(Sampler),
}

/// One of the program's reads, by which [`super::Outcome::values`] finds it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Read(pub(super) usize);

#[derive(Debug)]
pub(super) enum Step {
    Clear(Buffer),
    /// Rows of `row_bytes` (a multiple of 256) into whole slices of a texture.
    Fill {
        from: Buffer,
        from_offset: u64,
        row_bytes: u32,
        to: Texture,
        first_slice: u32,
        slices: u32,
    },
    Dispatch {
        kernel: &'static Kernel,
        bindings: Vec<Binding>,
        groups: [u32; 3],
    },
    Read {
        from: Buffer,
        from_offset: u64,
        bytes: u64,
    },
}

/// What the engine shall do, in order.
#[derive(Debug, Default)]
pub(crate) struct Program {
    pub(super) steps: Vec<Step>,
    pub(super) uniforms: Vec<u8>,
    pub(super) read_bytes: u64,
    reads: usize,
}

impl Program {
    /// A small structure that kernels of this program may be given.
    pub(crate) fn uniform<T: bytemuck::NoUninit>(&mut self, value: &T) -> Binding {
        let offset = self.uniforms.len();
        let bytes = bytemuck::bytes_of(value);
        self.uniforms.extend_from_slice(bytes);
        self.uniforms.resize(self.uniforms.len().next_multiple_of(UNIFORM_ALIGNMENT), 0);
        Binding::Uniform { offset: offset as u64, bytes: bytes.len() as u64 }
    }

    /// Zeroes.
    pub(crate) fn clear(&mut self, buffer: &Buffer) {
        self.steps.push(Step::Clear(buffer.clone()));
    }

    /// Whole slices of a texture from a buffer whose rows begin `row_bytes` apart, a multiple of 256.
    pub(crate) fn fill(
        &mut self,
        to: &Texture,
        [first_slice, slices]: [u32; 2],
        from: &Buffer,
        from_offset: u64,
        row_bytes: u32,
    ) {
        let (from, to) = (from.clone(), to.clone());
        self.steps.push(Step::Fill { from, from_offset, row_bytes, to, first_slice, slices });
    }

    /// At least so many invocations of a kernel whose workgroup is a row. Rows of workgroups where one direction
    /// does not hold them: the kernel's index is `id.y * groups.x * WORKGROUP + id.x`, and it returns in the excess.
    pub(crate) fn dispatch<const N: usize>(
        &mut self,
        kernel: &'static Kernel,
        bindings: [Binding; N],
        invocations: u32,
    ) {
        self.push(kernel, Vec::from(bindings), rows_of_groups(invocations, kernel.workgroup[0]));
    }

    /// At least so many invocations along x, y and z.
    pub(crate) fn dispatch_grid<const N: usize>(
        &mut self,
        kernel: &'static Kernel,
        bindings: [Binding; N],
        invocations: [u32; 3],
    ) {
        let groups = [0, 1, 2].map(|axis| invocations[axis].div_ceil(kernel.workgroup[axis]));
        self.push(kernel, Vec::from(bindings), groups);
    }

    fn push(&mut self, kernel: &'static Kernel, bindings: Vec<Binding>, groups: [u32; 3]) {
        assert_eq!(bindings.len(), kernel.bindings.len(), "{}: one binding for each of its row", kernel.name);
        self.steps.push(Step::Dispatch { kernel, bindings, groups });
    }

    /// Brings back a part of a buffer, as it is then. Offset and length are multiples of 4.
    pub(crate) fn read(&mut self, from: &Buffer, from_offset: u64, bytes: u64) -> Read {
        self.steps.push(Step::Read { from: from.clone(), from_offset, bytes });
        self.read_bytes += bytes;
        self.reads += 1;
        Read(self.reads - 1)
    }
}

/// Workgroups for so many invocations, in rows where one row does not hold them.
pub(super) fn rows_of_groups(invocations: u32, workgroup: u32) -> [u32; 3] {
    let groups = invocations.div_ceil(workgroup);
    let rows = groups.div_ceil(GROUPS_PER_DIRECTION).max(1);
    [groups.div_ceil(rows), rows, 1]
}
