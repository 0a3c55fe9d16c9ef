use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use super::ledger::BUDGET_BYTES_MAX;
use super::program::{GROUPS_PER_DIRECTION, rows_of_groups};
use super::{Buffer, Engine, EngineError, Program, Rows, Texel, adapters, unsealed};
use crate::table::{Access, Kernel, LINE};

fn open() -> Engine {
    let adapters = adapters();
    let adapter = adapters.first().expect("no Vulkan device: apt-get install mesa-vulkan-drivers");
    Engine::open(adapter, &[]).unwrap()
}

fn engine() -> MutexGuard<'static, Engine> {
    static ENGINE: OnceLock<Mutex<Engine>> = OnceLock::new();
    ENGINE.get_or_init(|| Mutex::new(open())).lock().unwrap_or_else(PoisonError::into_inner)
}

fn values<T: bytemuck::AnyBitPattern>(engine: &mut Engine, buffer: &Buffer) -> Vec<T> {
    let mut program = Program::default();
    let read = program.read(buffer, 0, buffer.bytes());
    engine.run(&program).unwrap().values(read).to_vec()
}

static NUMBER: Kernel = Kernel {
    name: "number",
    wgsl: "@group(0) @binding(0) var<storage, read_write> numbers: array<u32>;
        @compute @workgroup_size(64)
        fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
            let index = id.y * groups.x * 64u + id.x;
            if index < arrayLength(&numbers) {
                numbers[index] += index;
            }
        }",
    workgroup: LINE,
    bindings: &[("numbers", Access::ReadWrite)],
};

static SCALE: Kernel = Kernel {
    name: "scale",
    wgsl: "@group(0) @binding(0) var<uniform> factor: vec2<u32>;
        @group(0) @binding(1) var<storage, read_write> numbers: array<u32>;
        @compute @workgroup_size(64)
        fn main(@builtin(global_invocation_id) id: vec3<u32>) {
            if id.x < arrayLength(&numbers) {
                numbers[id.x] = numbers[id.x] * factor.x + factor.y;
            }
        }",
    workgroup: LINE,
    bindings: &[("factor", Access::Uniform), ("numbers", Access::ReadWrite)],
};

/// Half way between the centres of the voxels, in every direction.
static SAMPLE: Kernel = Kernel {
    name: "sample",
    wgsl: "@group(0) @binding(0) var volume: texture_3d<f32>;
        @group(0) @binding(1) var between: sampler;
        @group(0) @binding(2) var<storage, read_write> sampled: array<f32>;
        @compute @workgroup_size(4, 4, 4)
        fn main(@builtin(global_invocation_id) id: vec3<u32>) {
            let size = textureDimensions(volume);
            if any(id >= size) {
                return;
            }
            let at = (vec3<f32>(id) + 1.0) / vec3<f32>(size);
            sampled[(id.z * size.y + id.y) * size.x + id.x] = textureSampleLevel(volume, between, at, 0.0).x;
        }",
    workgroup: [4, 4, 4],
    bindings: &[("volume", Access::Sampled3d), ("between", Access::Sampler), ("sampled", Access::ReadWrite)],
};

static BROKEN: Kernel = Kernel {
    name: "broken",
    wgsl: "@compute @workgroup_size(64)
        fn main() {
            let sum = 1u + nothing;
        }",
    workgroup: LINE,
    bindings: &[],
};

#[test]
fn a_dispatch_too_wide_for_one_row_reaches_every_invocation_once() {
    let mut engine = engine();
    let count = 64 * GROUPS_PER_DIRECTION + 1_000;
    let numbers = engine.buffer("numbers", u64::from(count) * 4).unwrap();
    let mut program = Program::default();
    program.dispatch(&NUMBER, [numbers.whole()], count);
    engine.run(&program).unwrap();
    let found: Vec<u32> = values(&mut engine, &numbers);
    assert_eq!(found.len(), count as usize);
    assert!(found.iter().zip(0..).all(|(&number, index)| number == index));
}

#[test]
fn rows_of_workgroups_cover_the_work_and_stay_in_bounds() {
    for invocations in
        [1, 63, 64, 65, 64 * GROUPS_PER_DIRECTION, 64 * GROUPS_PER_DIRECTION + 1, 1 << 30, u32::MAX]
    {
        let [x, y, z] = rows_of_groups(invocations, 64);
        assert!(x <= GROUPS_PER_DIRECTION && y <= GROUPS_PER_DIRECTION && z == 1, "{invocations}: {x} x {y}");
        let covered = u64::from(x) * u64::from(y) * 64;
        assert!(covered >= u64::from(invocations), "{invocations}: {x} x {y}");
        assert!(covered < u64::from(invocations) + u64::from(64 * y), "{invocations}: {x} x {y}");
    }
}

#[test]
fn steps_are_carried_out_in_order_each_with_its_own_uniform() {
    let mut engine = engine();
    let [one, other] = [(); 2].map(|()| engine.buffer("numbers", 12).unwrap());
    engine.upload(&one, 0, Rows::dense(&[1_u32, 2, 3])).unwrap();
    engine.upload(&other, 0, Rows::dense(&[10_u32, 11, 12])).unwrap();
    let mut program = Program::default();
    let before = program.read(&one, 4, 8);
    let twice = program.uniform(&[2_u32, 0]);
    let and_seven = program.uniform(&[1_u32, 7]);
    program.dispatch(&SCALE, [twice, one.whole()], 3);
    program.dispatch(&SCALE, [and_seven, other.whole()], 3);
    program.clear(&one);
    let (cleared, moved) = (program.read(&one, 0, 12), program.read(&other, 0, 12));
    let outcome = engine.run(&program).unwrap();
    assert_eq!(outcome.values::<u32>(before), [2, 3]);
    assert_eq!(outcome.values::<u32>(cleared), [0, 0, 0]);
    assert_eq!(outcome.values::<u32>(moved), [17, 18, 19]);
    let time = outcome.device_time.expect("software Vulkan has a clock");
    let labels: Vec<&str> = time.by_label.iter().map(|(label, _)| *label).collect();
    assert_eq!(labels, ["read", "scale", "clear"]);
    let parts: std::time::Duration = time.by_label.iter().map(|(_, time)| *time).sum();
    let apart = parts.abs_diff(time.total);
    assert!(apart < std::time::Duration::from_micros(1), "{time:?}");
}

#[test]
fn a_program_of_more_steps_than_stamps_is_timed_as_a_whole() {
    let mut engine = engine();
    let numbers = engine.buffer("numbers", 4).unwrap();
    let mut program = Program::default();
    for _ in 0..700 {
        program.dispatch(&NUMBER, [numbers.whole()], 1);
    }
    let time = engine.run(&program).unwrap().device_time.unwrap();
    let labels: Vec<&str> = time.by_label.iter().map(|(label, _)| *label).collect();
    assert_eq!(labels, ["number", "the rest"]);
}

#[test]
fn a_texture_is_filled_slice_by_slice_and_sampled_between_its_texels() {
    let mut engine = engine();
    let size = [5_u32, 4, 3];
    // Rows of a texture begin 256 bytes apart in the buffer it is filled from; 1.0, 2.0, .. as halves.
    let halves = |value: u32| -> u16 { half(f32::from(u16::try_from(value).unwrap())) };
    let rows: Vec<u16> = (0..60).map(halves).collect();
    let source = engine.buffer("halves", 256 * 12).unwrap();
    engine.upload(&source, 0, Rows::padded(&rows, 5, 256)).unwrap();
    let volume = engine.texture_3d("volume", size, Texel::R16Float).unwrap();
    let sampled = engine.buffer("sampled", 60 * 4).unwrap();
    let mut program = Program::default();
    program.fill(&volume, [0, 1], &source, 0, 256);
    program.fill(&volume, [1, 2], &source, 256 * 4, 256);
    let between = engine.sampler();
    program.dispatch_grid(&SAMPLE, [volume.bound(), between.bound(), sampled.whole()], size);
    engine.run(&program).unwrap();
    let found: Vec<f32> = values(&mut engine, &sampled);
    for (index, found) in found.iter().enumerate() {
        let (x, y, z) = (index % 5, index / 5 % 4, index / 20);
        let at = |axis: usize, last: usize| if axis < last { axis as f32 + 0.5 } else { last as f32 };
        let expected = at(x, 4) + 5.0 * at(y, 3) + 20.0 * at(z, 2);
        assert!((found - expected).abs() < 0.15, "at {x} {y} {z}: {found}, not {expected}");
    }
}

/// Small whole numbers as IEEE halves.
fn half(value: f32) -> u16 {
    if value == 0.0 {
        return 0;
    }
    let bits = value.to_bits();
    let exponent = (bits >> 23) - 127 + 15;
    u16::try_from(exponent << 10 | bits >> 13 & 0x3ff).unwrap()
}

#[test]
fn a_broken_kernel_is_named_with_its_line_and_the_engine_goes_on() {
    let mut engine = engine();
    let mut program = Program::default();
    program.dispatch(&BROKEN, [], 1);
    let error = engine.run(&program).unwrap_err();
    let EngineError::Shader { kernel, line, source_line, message } = &error else { panic!("{error}") };
    assert_eq!((*kernel, *line, source_line.as_str()), ("broken", 3, "let sum = 1u + nothing;"));
    assert!(message.contains("nothing"), "{message}");
    assert!(error.to_string().contains("let sum = 1u + nothing;"), "{error}");

    let numbers = engine.buffer("numbers", 12).unwrap();
    engine.upload(&numbers, 0, Rows::dense(&[40_u32, 41, 42])).unwrap();
    let mut program = Program::default();
    program.dispatch(&NUMBER, [numbers.whole()], 3);
    engine.run(&program).unwrap();
    assert_eq!(values::<u32>(&mut engine, &numbers), [40, 42, 44]);
}

#[test]
fn a_binding_over_the_limit_is_refused_before_anything_runs() {
    let mut engine = engine();
    let bytes = engine.binding_limit_bytes() + 4;
    if bytes > engine.ledger().free_bytes() {
        return;
    }
    let numbers = engine.buffer("numbers", bytes).unwrap();
    let mut program = Program::default();
    program.dispatch(&NUMBER, [numbers.whole()], 1);
    let error = engine.run(&program).unwrap_err();
    assert!(matches!(error, EngineError::TooLarge { buffer: "numbers", .. }), "{error}");
}

#[test]
fn the_ledger_knows_what_is_held_and_the_most_that_was() {
    let mut engine = open();
    let before = engine.ledger().current_bytes();
    engine.reserve("test", 4096).unwrap();
    let one = engine.buffer("one", 1000).unwrap();
    let again = one.clone();
    let texture = engine.texture_3d("texture", [10, 10, 5], Texel::R16Float).unwrap();
    drop(one);
    assert_eq!(engine.ledger().held(), [("one", 1000), ("texture", 1000)]);
    drop(texture);
    assert_eq!(engine.ledger().current_bytes(), before + 1000);
    drop(again);
    assert_eq!((engine.ledger().current_bytes(), engine.ledger().peak_bytes()), (before, before + 2000));
    engine.reserve("the next", 0).unwrap();
    assert_eq!(engine.ledger().peak_bytes(), before);
}

#[test]
fn what_is_over_the_budget_is_refused_in_words_before_the_driver_hears_of_it() {
    let mut engine = open();
    let error = engine.reserve("dreaming", BUDGET_BYTES_MAX + 1).unwrap_err();
    assert!(matches!(error, EngineError::OverBudget { label: "dreaming", .. }), "{error}");
    assert!(error.to_string().contains("dreaming"), "{error}");
    let free = engine.ledger().free_bytes();
    let error = engine.buffer("dream", free + 4).unwrap_err();
    let EngineError::OverBudget { wanted_bytes, free_bytes, .. } = error else { panic!("{error}") };
    assert_eq!((wanted_bytes, free_bytes), (free + 4, free));
    assert_eq!(engine.ledger().free_bytes(), free);
}

#[test]
fn uploads_of_every_size_arrive_whole_at_their_place() {
    let mut engine = engine();
    // An odd number of halfwords, more than the small way takes, and more than both slots of the ring.
    for count in [3_usize, 700_001, (33 << 20) / 2 + 1, (70 << 20) / 2] {
        let sent: Vec<i16> = (0..count).map(|at| i16::try_from(at * 31 % 32_749).unwrap()).collect();
        let buffer = engine.buffer("halfwords", 8 + (count as u64 * 2).next_multiple_of(4)).unwrap();
        engine.upload(&buffer, 8, Rows::dense(&sent)).unwrap();
        let found: Vec<i16> = values(&mut engine, &buffer);
        assert!(found[..4] == [0; 4] && found[4..4 + count] == sent[..], "{count} halfwords");
    }
}

#[test]
fn padded_rows_begin_where_they_shall_across_the_turns_of_the_ring() {
    let mut engine = engine();
    let (row, padded, rows) = (33_usize, 64_usize, 600_000_usize);
    let sent: Vec<i16> = (0..row * rows).map(|at| i16::try_from(at % 32_749).unwrap()).collect();
    let buffer = engine.buffer("rows", (padded * 2 * rows) as u64).unwrap();
    engine.upload(&buffer, 0, Rows::padded(&sent, row, padded * 2)).unwrap();
    let found: Vec<i16> = values(&mut engine, &buffer);
    assert!(found.chunks(padded).zip(sent.chunks(row)).all(|(found, sent)| found[..row] == *sent));
}

#[test]
fn a_lost_device_says_so_and_goes_on_saying_so() {
    let mut engine = open();
    let numbers = engine.buffer("numbers", 12).unwrap();
    assert!(engine.fault().is_none());
    engine.lose();
    let mut program = Program::default();
    program.dispatch(&NUMBER, [numbers.whole()], 3);
    for _ in 0..2 {
        let error = engine.run(&program).unwrap_err();
        assert!(matches!(error, EngineError::Lost(_)), "{error}");
    }
    assert!(matches!(engine.fault(), Some(EngineError::Lost(_))));
    assert!(matches!(engine.buffer("more", 4), Err(EngineError::Lost(_))));
    assert!(matches!(engine.upload(&numbers, 0, Rows::dense(&[1_u32])), Err(EngineError::Lost(_))));
}

#[test]
fn what_the_driver_compiled_is_taken_up_again_and_rotten_bytes_are_not() {
    let adapter = adapters().into_iter().next().expect("mesa-vulkan-drivers");
    let run = |saved: &[u8]| {
        let mut engine = Engine::open(&adapter, saved).unwrap();
        let numbers = engine.buffer("numbers", 12).unwrap();
        engine.upload(&numbers, 0, Rows::dense(&[40_u32, 41, 42])).unwrap();
        let mut program = Program::default();
        program.dispatch(&NUMBER, [numbers.whole()], 3);
        assert_eq!(engine.pipelines_made(), 0);
        engine.run(&program).unwrap();
        assert_eq!((engine.pipelines_made(), values::<u32>(&mut engine, &numbers)), (1, vec![40, 42, 44]));
        engine.saved_pipelines().expect("every Vulkan driver hands them out")
    };
    let saved = run(&[]);
    assert!(unsealed(&adapter.key(), &saved).is_some_and(|bytes| !bytes.is_empty()));
    run(&saved);
    let mut rotten = saved.clone();
    *rotten.last_mut().unwrap() ^= 1;
    run(&rotten);
    run(&saved[..saved.len() / 2]);
    run(&[0xff; 64]);
}
