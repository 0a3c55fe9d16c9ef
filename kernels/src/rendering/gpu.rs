//! The GPU path: the volume as a 3-D texture that stays between pictures, everything else of a picture sent with it.

use super::blending::{Flat, GreyTable, Layer};
use super::reformat::Cut;
use super::view::Projection;
use super::{Planned, RenderError, Scene};
use crate::engine::{Buffer, Engine, EngineError, Program, Rows, Texel, Texture};
use crate::identity::Identity;
use crate::processor::{Gpu, ProcessorError};
use crate::table;
use crate::volume::Volume;

/// Bytes of a volume on the way to its texture.
const SLAB_BYTES: u64 = 32 << 20;

/// A texture's rows begin so many bytes apart in the buffer they come from (WebGPU's `bytesPerRow`).
const ROW_ALIGNMENT: u32 = 256;

/// Invocations of a row of workgroups of the blending kernel.
const QUADS_PER_ROW: u32 = 64 * 1024;

/// What stays on the device between pictures.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    volume: Option<(Identity, VolumeTexture)>,
    scene: Option<(Identity, SceneBuffers)>,
    picture: Option<Buffer>,
}

#[derive(Clone, Debug)]
struct VolumeTexture {
    texture: Texture,
    /// A value is `texel * scale + offset`.
    scale: f32,
    offset: f32,
}

#[derive(Clone, Debug)]
struct SceneBuffers {
    extremes: Buffer,
    labels: Buffer,
}

/// The uniform of the reformat kernel.
#[repr(C)]
#[derive(Clone, Copy, Debug, bytemuck::NoUninit)]
pub(crate) struct CutUniform {
    pub(crate) dimensions: [u32; 4],
    pub(crate) columns: u32,
    pub(crate) rows: u32,
    pub(crate) samples: u32,
    pub(crate) projection: u32,
}

/// The uniform of the blending kernel.
#[repr(C)]
#[derive(Clone, Copy, Debug, bytemuck::NoUninit)]
pub(crate) struct Stripe {
    pub(crate) row: u32,
    pub(crate) quads: u32,
    pub(crate) layers: u32,
}

fn refused(error: EngineError) -> RenderError {
    RenderError::Processor(ProcessorError::Engine(error))
}

/// The pixels of a planned picture.
pub(crate) fn render(
    gpu: &mut Gpu,
    scene: &Scene,
    planned: &Planned,
    distances: &[u8],
) -> Result<Vec<[u8; 4]>, RenderError> {
    rendered(gpu, scene, planned, distances).map_err(refused)
}

fn rendered(
    gpu: &mut Gpu,
    scene: &Scene,
    planned: &Planned,
    distances: &[u8],
) -> Result<Vec<[u8; 4]>, EngineError> {
    let mut frame = planned.frame;
    let picture_bytes = u64::from(frame.width) * u64::from(frame.height) * 4;
    let table: Vec<[f32; 4]> = planned.table.entries.iter().chain(&planned.label_table).copied().collect();
    let sent_bytes = (size_of_val(&*table) + distances.len()) as u64;
    let labels_bytes = scene.labels().map_or(0, |labels| labels.values().len() as u64);
    let scene_bytes = scene.cells().extremes.len() as u64 * 4 + labels_bytes;
    let peak_bytes = volume_bytes(scene.volume())
        + SLAB_BYTES
        + scene_bytes
        + sent_bytes
        + 2 * picture_bytes
        + Engine::OWN_BYTES;
    gpu.reserve("volume rendering", peak_bytes)?;
    let volume = volume_texture(gpu, scene.volume(), scene)?;
    let SceneBuffers { extremes, labels } = scene_buffers(gpu, scene)?;
    (frame.texel_scale, frame.texel_offset) = (volume.scale, volume.offset);
    let table = sent(gpu, "transfer function", &table)?;
    let distances = sent(gpu, "distances", distances)?;
    let picture = match gpu.rendering.picture.take().filter(|kept| kept.bytes() == picture_bytes) {
        Some(kept) => kept,
        None => gpu.engine.buffer("picture", picture_bytes)?,
    };
    let mut program = Program::default();
    let uniform = program.uniform(&frame);
    let (volume, linear) = (volume.texture.bound(), gpu.engine.sampler().bound());
    let [table, distances, extremes] = [&table, &distances, &extremes].map(Buffer::whole);
    let bindings = [uniform, volume, linear, table, distances, extremes, labels.whole(), picture.whole()];
    program.dispatch_grid(&table::RENDERING, bindings, [frame.width, frame.height, 1]);
    let pixels = program.read(&picture, 0, picture_bytes);
    let outcome = gpu.run(&program)?;
    gpu.rendering.picture = Some(picture);
    Ok(outcome.values(pixels).to_vec())
}

/// The values of a slab.
pub(crate) fn reformat(gpu: &mut Gpu, volume: &Volume, cut: &Cut) -> Result<Vec<i16>, RenderError> {
    reformatted(gpu, volume, cut).map_err(refused)
}

fn reformatted(gpu: &mut Gpu, volume: &Volume, cut: &Cut) -> Result<Vec<i16>, EngineError> {
    if !gpu.engine.has_16bit_norm() {
        return Err(EngineError::Lacks("texture that gives 16-bit values back whole"));
    }
    let rows = u32::try_from(cut.rows.len()).expect("a slab has at most 4096 rows");
    let values_bytes = u64::from(cut.columns) * u64::from(rows) * 4;
    let rows_bytes = size_of_val(&*cut.rows) as u64;
    let peak_bytes = volume_bytes(volume) + SLAB_BYTES + rows_bytes + 2 * values_bytes + Engine::OWN_BYTES;
    gpu.reserve("reformat", peak_bytes)?;
    let texture = normalised(gpu, volume)?.texture;
    let places = sent(gpu, "rows", &cut.rows)?;
    let values = gpu.engine.buffer("slab", values_bytes)?;
    let dimensions = volume.dimensions();
    let mut program = Program::default();
    let uniform = program.uniform(&CutUniform {
        dimensions: [dimensions.columns, dimensions.rows, dimensions.slices, 0],
        columns: cut.columns,
        rows,
        samples: cut.samples,
        projection: match cut.projection {
            Projection::Average => 0,
            Projection::Maximum => 1,
            Projection::Minimum => 2,
        },
    });
    let linear = gpu.engine.sampler().bound();
    let bindings = [uniform, texture.bound(), linear, places.whole(), values.whole()];
    program.dispatch_grid(&table::REFORMAT, bindings, [cut.columns, rows, 1]);
    let found = program.read(&values, 0, values_bytes);
    let outcome = gpu.run(&program)?;
    let narrow = |value: &i32| i16::try_from(*value);
    let found: Result<Vec<i16>, _> = outcome.values::<i32>(found).iter().map(narrow).collect();
    found.map_err(|_| EngineError::Nonsense("a value between 16-bit values that is none"))
}

/// The pixels of a frame with its layers.
pub(crate) fn blend(
    gpu: &mut Gpu,
    frame: &Flat<'_>,
    grey: &GreyTable,
    layers: &[Layer<'_>],
) -> Result<Vec<[u8; 4]>, RenderError> {
    blended(gpu, frame, grey, layers).map_err(refused)
}

fn blended(
    gpu: &mut Gpu,
    frame: &Flat<'_>,
    grey: &GreyTable,
    layers: &[Layer<'_>],
) -> Result<Vec<[u8; 4]>, EngineError> {
    let quads = u32::try_from(frame.values.len().div_ceil(4)).expect("a frame has at most 2^26 pixels");
    let picture_bytes = u64::from(quads) * 16;
    let limit_bytes = gpu.engine.binding_limit_bytes();
    if picture_bytes > limit_bytes {
        return Err(EngineError::TooLarge { buffer: "picture", bytes: picture_bytes, limit_bytes });
    }
    let layers_bytes = layers.len() as u64 * u64::from(quads) * 4;
    let tables_bytes = 65_536 + 2 * 1024;
    let peak_bytes =
        u64::from(quads) * 8 + layers_bytes + tables_bytes + 2 * picture_bytes + Engine::OWN_BYTES;
    gpu.reserve("blending", peak_bytes)?;
    let words: Vec<u32> = layers.iter().flat_map(|layer| layer.palette.words()).chain([0]).collect();
    let values = gpu.engine.buffer("frame", u64::from(quads) * 8)?;
    gpu.engine.upload(&values, 0, Rows::dense(frame.values))?;
    let levels = sent(gpu, "grey levels", grey.levels())?;
    let palettes = sent(gpu, "palettes", &words)?;
    let mut bytes = [palettes.clone(), palettes.clone()];
    for (buffer, layer) in bytes.iter_mut().zip(layers) {
        *buffer = sent(gpu, "layer", layer.values)?;
    }
    let picture = gpu.engine.buffer("picture", picture_bytes)?;
    let mut program = Program::default();
    let layers = u32::try_from(layers.len()).expect("at most two");
    let uniform = program.uniform(&Stripe { row: QUADS_PER_ROW, quads, layers });
    let [lower, upper] = &bytes;
    let bindings = [uniform, values.whole(), levels.whole(), palettes.whole(), lower.whole(), upper.whole()];
    let [uniform, values, levels, palettes, lower, upper] = bindings;
    program.dispatch_grid(
        &table::BLENDING,
        [uniform, values, levels, palettes, lower, upper, picture.whole()],
        [QUADS_PER_ROW.min(quads), quads.div_ceil(QUADS_PER_ROW), 1],
    );
    let pixels = program.read(&picture, 0, picture_bytes);
    let outcome = gpu.run(&program)?;
    Ok(outcome.values(pixels)[..frame.values.len()].to_vec())
}

fn volume_bytes(volume: &Volume) -> u64 {
    volume.dimensions().len() as u64 * 2
}

/// A buffer with these values in it.
fn sent<T: bytemuck::NoUninit>(
    gpu: &mut Gpu,
    label: &'static str,
    values: &[T],
) -> Result<Buffer, EngineError> {
    let rows = Rows::dense(values);
    let buffer = gpu.engine.buffer(label, rows.device_bytes())?;
    gpu.engine.upload(&buffer, 0, rows)?;
    Ok(buffer)
}

fn scene_buffers(gpu: &mut Gpu, scene: &Scene) -> Result<SceneBuffers, EngineError> {
    if let Some((_, kept)) = gpu.rendering.scene.as_ref().filter(|(kept, _)| *kept == scene.identity) {
        return Ok(kept.clone());
    }
    gpu.rendering.scene = None;
    let extremes = sent(gpu, "macrocells", &scene.cells().extremes)?;
    let labels = match scene.labels() {
        Some(labels) => sent(gpu, "labels", labels.values())?,
        None => gpu.engine.buffer("labels", 4)?,
    };
    let buffers = SceneBuffers { extremes, labels };
    gpu.rendering.scene = Some((scene.identity, buffers.clone()));
    Ok(buffers)
}

/// The volume, in the texture that serves best here: 16-bit whole numbers, or half floats around the middle of the
/// volume's values, which are exact for 2048 values to both sides of it.
fn volume_texture(gpu: &mut Gpu, volume: &Volume, scene: &Scene) -> Result<VolumeTexture, EngineError> {
    if gpu.engine.has_16bit_norm() {
        return normalised(gpu, volume);
    }
    let extent = scene.extent();
    let middle = (i32::from(*extent.start()) + i32::from(*extent.end())) / 2;
    let values =
        |values: &[i16]| values.iter().map(|value| half(i32::from(*value) - middle)).collect::<Vec<u16>>();
    kept_volume(gpu, volume, Texel::R16Float, (1.0, middle as f32), &|gpu, buffer, slices| {
        let values = values(slices);
        upload(gpu, buffer, volume, &values)
    })
}

/// -32768 becomes -32767: no scanner writes either.
fn normalised(gpu: &mut Gpu, volume: &Volume) -> Result<VolumeTexture, EngineError> {
    kept_volume(gpu, volume, Texel::R16Snorm, (32_767.0, 0.0), &|gpu, buffer, slices| {
        upload(gpu, buffer, volume, slices)
    })
}

fn upload<T: bytemuck::NoUninit>(
    gpu: &mut Gpu,
    buffer: &Buffer,
    volume: &Volume,
    values: &[T],
) -> Result<(), EngineError> {
    let columns = volume.dimensions().columns;
    let rows = Rows::padded(values, columns as usize, row_bytes(columns) as usize);
    gpu.engine.upload(buffer, 0, rows)
}

fn row_bytes(columns: u32) -> u32 {
    (columns * 2).next_multiple_of(ROW_ALIGNMENT)
}

/// Sends some whole slices.
type Send<'a> = dyn Fn(&mut Gpu, &Buffer, &[i16]) -> Result<(), EngineError> + 'a;

fn kept_volume(
    gpu: &mut Gpu,
    volume: &Volume,
    texel: Texel,
    (scale, offset): (f32, f32),
    send: &Send<'_>,
) -> Result<VolumeTexture, EngineError> {
    if let Some((_, kept)) = gpu.rendering.volume.as_ref().filter(|(kept, _)| *kept == volume.identity()) {
        return Ok(kept.clone());
    }
    gpu.rendering.volume = None;
    let dimensions = volume.dimensions();
    let size = [dimensions.columns, dimensions.rows, dimensions.slices];
    let limit = gpu.engine.texture_3d_limit();
    if let Some(side) = size.into_iter().find(|side| *side > limit) {
        let (bytes, limit_bytes) = (u64::from(side), u64::from(limit));
        return Err(EngineError::TooLarge { buffer: "side of a volume texture", bytes, limit_bytes });
    }
    let texture = gpu.engine.texture_3d("volume texture", size, texel)?;
    let row_bytes = row_bytes(dimensions.columns);
    let slice_bytes = u64::from(row_bytes) * u64::from(dimensions.rows);
    let slices = u32::try_from(SLAB_BYTES / slice_bytes).unwrap_or(u32::MAX).clamp(1, dimensions.slices);
    let buffer = gpu.engine.buffer("volume on its way", slice_bytes * u64::from(slices))?;
    let mut first = 0;
    for slab in volume.hounsfield().chunks(slices as usize * dimensions.slice_len()) {
        send(gpu, &buffer, slab)?;
        let count = slices.min(dimensions.slices - first);
        let mut program = Program::default();
        program.fill(&texture, [first, count], &buffer, 0, row_bytes);
        gpu.run(&program)?;
        first += count;
    }
    let kept = VolumeTexture { texture, scale, offset };
    gpu.rendering.volume = Some((volume.identity(), kept.clone()));
    Ok(kept)
}

/// A whole number as a half float, rounded to the nearest (IEEE 754 binary16; 65504 is its largest).
fn half(value: i32) -> u16 {
    let sign = if value < 0 { 0x8000 } else { 0 };
    let size = value.unsigned_abs();
    if size == 0 {
        return 0;
    }
    let power = size.ilog2();
    let mantissa = if power <= 10 {
        size << (10 - power)
    } else {
        let dropped = power - 10;
        (size + (1 << (dropped - 1))) >> dropped
    };
    // A mantissa rounded up to the next power of two carries into the exponent by itself.
    let bits = ((power + 15) << 10) + mantissa - 1024;
    sign | u16::try_from(bits).expect("the exponent has five bits for values up to 65504")
}

#[cfg(test)]
mod tests {
    use super::half;

    #[test]
    fn whole_numbers_become_half_floats() {
        let known =
            [(0, 0), (1, 0x3c00), (-1, 0xbc00), (2, 0x4000), (3, 0x4200), (1000, 0x63d0), (-2047, 0xe7ff)];
        for (value, bits) in known {
            assert_eq!(half(value), bits, "{value}");
        }
        // Beyond 2048 every second number exists, then every fourth.
        assert_eq!(
            (half(2048), half(2049), half(2050), half(4095), half(32_767)),
            (0x6800, 0x6801, 0x6801, 0x6c00, 0x7800)
        );
    }
}
