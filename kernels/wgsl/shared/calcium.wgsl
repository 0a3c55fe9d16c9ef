// What the calcium kernels share.

// Whole slices of a slab. A word is 32 columns of a row, and rows are padded to whole words.
struct Turn {
    words_per_row: u32,
    rows: u32,
    // Where the turn begins in the slab, and how long it is.
    first_word: u32,
    words: u32,
    threshold_hu: i32,
    // Components of fewer pixels are fragments.
    minimum_pixels: u32,
    node_capacity: u32,
    record_capacity: u32,
    lesion_capacity: u32,
}

// How much there was. More than there is room for: later kernels do nothing and the host takes smaller turns. Each kernel
// has what it adds to as atomic and reads the rest plainly: an atomic read by every invocation is a queue of them all.
struct Counts {
    nodes: u32,
    records: u32,
    lesions: u32,
    fragments: u32,
}

// One connected component of one slice. Values are counted from the threshold, so none is negative.
struct Record {
    // word * 32 + bit of the first pixel, counted within the turn.
    first: u32,
    pixels: u32,
    peak_over: u32,
    // Sums of the low and the high byte of the values: at most 2^24 pixels times 255 fit into 32 bits.
    low_sum: u32,
    high_sum: u32,
}

// Set in the parent of a root once it has a record; the rest is the record's number.
const HAS_RECORD = 0x80000000u;

// A piece is a run of set bits within one word. The pieces of a word are nodes of the forest, numbered one after the
// other; which number comes first is a matter of luck, so no result depends on it.

// The first bit of each piece.
fn starts_of(bits: u32) -> u32 {
    return bits & ~(bits << 1u);
}

// The piece that begins at a bit, which begins one: the carry of adding it clears the piece and nothing behind.
fn piece_from(bits: u32, bit: u32) -> u32 {
    return bits & ~(bits + (1u << bit)) & (0xffffffffu << bit);
}

// How many pieces of the word begin before the one that holds `bit`.
fn rank_of(bits: u32, bit: u32) -> u32 {
    return countOneBits(starts_of(bits) & ((2u << bit) - 1u)) - 1u;
}
