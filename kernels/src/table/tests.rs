use std::mem::offset_of;
use std::path::Path;

use naga::{AddressSpace, Module, StorageAccess, TypeInner};

use super::{Access, ENTRY_POINT, KERNELS, Kernel, WORKGROUP_SIZE};
use crate::calcium::gpu::{Grid, Record};

fn parse(kernel: &Kernel) -> Module {
    naga::front::wgsl::parse_str(kernel.wgsl)
        .unwrap_or_else(|error| panic!("{}", error.emit_to_string(kernel.wgsl)))
}

#[test]
fn every_kernel_is_valid_without_any_optional_feature() {
    for kernel in KERNELS {
        let flags = naga::valid::ValidationFlags::all();
        let mut validator = naga::valid::Validator::new(flags, naga::valid::Capabilities::empty());
        if let Err(error) = validator.validate(&parse(kernel)) {
            panic!("{}: {}", kernel.name, error.emit_to_string(kernel.wgsl));
        }
    }
}

#[test]
fn every_file_has_one_row_and_every_row_its_file() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("wgsl");
    let mut files: Vec<String> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    files.sort();
    let mut rows: Vec<String> = KERNELS.iter().map(|kernel| format!("{}.wgsl", kernel.name)).collect();
    rows.sort();
    assert_eq!(rows, files);
    for kernel in KERNELS {
        let file = std::fs::read_to_string(folder.join(format!("{}.wgsl", kernel.name))).unwrap();
        assert_eq!(kernel.wgsl, file, "{} includes another kernel's file", kernel.name);
    }
}

#[test]
fn every_row_says_what_its_wgsl_says() {
    for kernel in KERNELS {
        let module = parse(kernel);
        let [entry] = &module.entry_points[..] else { panic!("{} has not one entry point", kernel.name) };
        assert_eq!(entry.name, ENTRY_POINT, "{}", kernel.name);
        assert_eq!(entry.workgroup_size, [WORKGROUP_SIZE, 1, 1], "{}", kernel.name);

        let mut bindings: Vec<_> = module
            .global_variables
            .iter()
            .filter_map(|(_, global)| Some((global.binding.as_ref()?, global)))
            .map(|(binding, global)| {
                assert_eq!(binding.group, 0, "{}", kernel.name);
                (binding.binding as usize, global.name.clone().unwrap(), access(global.space))
            })
            .collect();
        bindings.sort_by_key(|(index, ..)| *index);
        let rows: Vec<_> = kernel
            .bindings
            .iter()
            .enumerate()
            .map(|(index, (name, access))| (index, (*name).to_owned(), *access))
            .collect();
        assert_eq!(rows, bindings, "{}", kernel.name);
    }
}

fn access(space: AddressSpace) -> Access {
    match space {
        AddressSpace::Uniform => Access::Uniform,
        AddressSpace::Storage { access } if access.contains(StorageAccess::STORE) => Access::ReadWrite,
        AddressSpace::Storage { .. } => Access::Read,
        other => panic!("{other:?} is not for buffers"),
    }
}

/// Name, size and (field, offset)s of a structure on this side.
type Layout = (&'static str, usize, Vec<(&'static str, usize)>);

macro_rules! layout {
    ($wgsl:literal, $host:ty, $($field:ident),+) => {
        ($wgsl, size_of::<$host>(), vec![$((stringify!($field), offset_of!($host, $field))),+])
    };
}

#[test]
fn every_structure_has_the_same_layout_on_both_sides() {
    let layouts: [Layout; 2] = [
        layout!("Slab", Grid, columns, rows, words_per_row, words, threshold_hu),
        layout!("Record", Record, root, pixels, peak_over, low_sum, high_sum),
    ];
    let mut compared = 0;
    for kernel in KERNELS {
        let module = parse(kernel);
        for (_, ty) in module.types.iter() {
            let (TypeInner::Struct { members, span }, Some(name)) = (&ty.inner, &ty.name) else { continue };
            let (_, size, fields) = layouts
                .iter()
                .find(|(host, ..)| host == name)
                .unwrap_or_else(|| panic!("{}: no Rust structure for {name}", kernel.name));
            let members: Vec<_> = members
                .iter()
                .map(|member| (member.name.as_deref().unwrap(), member.offset as usize))
                .collect();
            assert_eq!((&members, *span as usize), (fields, *size), "{}: {name}", kernel.name);
            compared += 1;
        }
    }
    assert_eq!(compared, 6, "four kernels have the slab, two the record");
}
