use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use super::{Engine, EngineError, GROUPS_PER_ROW, Program, adapters, groups};
use crate::table::{Access, Kernel, WORKGROUP_SIZE};

fn engine() -> MutexGuard<'static, Engine> {
    static ENGINE: OnceLock<Mutex<Engine>> = OnceLock::new();
    let open = || {
        let adapters = adapters();
        let adapter = adapters.first().expect("no Vulkan device: apt-get install mesa-vulkan-drivers");
        Mutex::new(Engine::open(adapter).unwrap())
    };
    ENGINE.get_or_init(open).lock().unwrap_or_else(PoisonError::into_inner)
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
    bindings: &[("numbers", Access::ReadWrite)],
};

static BROKEN: Kernel = Kernel {
    name: "broken",
    wgsl: "@compute @workgroup_size(64)
        fn main() {
            let sum = 1u + nothing;
        }",
    bindings: &[],
};

#[test]
fn a_dispatch_too_wide_for_one_row_reaches_every_invocation_once() {
    let count = 64 * GROUPS_PER_ROW + 1_000;
    let mut program = Program::default();
    program.room("numbers", u64::from(count) * 4);
    program.clear("numbers");
    program.dispatch(&NUMBER, count);
    program.read("numbers", 0, u64::from(count) * 4);
    let reads = engine().run(&program).unwrap();
    let numbers: Vec<u32> = bytemuck::pod_collect_to_vec(&reads[0]);
    assert_eq!(numbers.len(), count as usize);
    assert!(numbers.iter().zip(0..).all(|(&number, index)| number == index));
}

#[test]
fn rows_of_workgroups_cover_the_work_and_stay_in_bounds() {
    for invocations in [1, 63, 64, 65, 64 * GROUPS_PER_ROW, 64 * GROUPS_PER_ROW + 1, 1 << 30, u32::MAX] {
        let [x, y] = groups(invocations);
        assert!(x <= GROUPS_PER_ROW && y <= GROUPS_PER_ROW, "{invocations}: {x} x {y}");
        let covered = u64::from(x) * u64::from(y) * u64::from(WORKGROUP_SIZE);
        assert!(covered >= u64::from(invocations), "{invocations}: {x} x {y}");
        assert!(covered < u64::from(invocations) + u64::from(WORKGROUP_SIZE * y), "{invocations}: {x} x {y}");
    }
}

#[test]
fn a_broken_kernel_is_named_with_its_line_and_the_engine_goes_on() {
    let mut engine = engine();
    let mut program = Program::default();
    program.dispatch(&BROKEN, 1);
    let error = engine.run(&program).unwrap_err();
    let EngineError::Shader { kernel, line, message } = error else { panic!("{error}") };
    assert_eq!((kernel, line), ("broken", 3));
    assert!(message.contains("nothing"), "{message}");

    let mut program = Program::default();
    program.upload("numbers", &[40_u32, 41, 42]);
    program.dispatch(&NUMBER, 3);
    program.read("numbers", 4, 8);
    let reads = engine.run(&program).unwrap();
    assert_eq!(bytemuck::pod_collect_to_vec::<u8, u32>(&reads[0]), [42, 44]);
}

#[test]
fn a_buffer_over_the_limit_is_refused_before_anything_runs() {
    let mut engine = engine();
    let mut program = Program::default();
    let bytes = engine.binding_limit_bytes() + 4;
    program.room("numbers", bytes);
    program.dispatch(&NUMBER, 1);
    let error = engine.run(&program).unwrap_err();
    assert!(matches!(error, EngineError::TooLarge { buffer: "numbers", .. }), "{error}");
}

#[test]
fn an_odd_number_of_halfwords_arrives_whole() {
    let mut program = Program::default();
    program.upload("halfwords", &[-1_i16, 2, -3]);
    program.read("halfwords", 0, 8);
    let reads = engine().run(&program).unwrap();
    assert_eq!(bytemuck::pod_collect_to_vec::<u8, i16>(&reads[0]), [-1, 2, -3, 0]);
}
