// What the structures kernels share.

// Whole slices of a slab, and the layers of cells that they lie in.
struct StructuresTurn {
    columns: u32,
    rows: u32,
    slices: u32,
    // Words of two voxels in a row, which is padded to whole 32 columns.
    row_words: u32,
    // Where the turn begins in the slab, in slices.
    first_slice: u32,
    // How many slices of the first layer of cells come before the turn.
    before: u32,
    cell_columns: u32,
    cell_rows: u32,
    layers: u32,
    // Voxels of a cell along columns, rows, slices.
    across: u32,
    down: u32,
    depth: u32,
}

// The Hounsfield units of column `column` of a word.
fn voxel(word: u32, column: u32) -> i32 {
    return extractBits(bitcast<i32>(word), (column & 1u) * 16u, 16u);
}
