use std::mem::offset_of;
use std::path::Path;

use naga::{AddressSpace, GlobalVariable, ImageClass, ImageDimension, Module, StorageAccess, TypeInner};

use super::{Access, ENTRY_POINT, KERNELS, Kernel};
use crate::calcium::gpu::{Counts, Record, TurnUniform};
use crate::perfusion::gpu::{
    Deconvolution, Halving, LevelUniform, Line, Place, Placed, SlabUniform, Softening,
};
use crate::perfusion::{Component, Point, Tap};
use crate::rendering::gpu::{CutUniform, Stripe};
use crate::rendering::{Frame, VoxelRow};
use crate::structures::gpu::StructuresTurn;

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

/// Names of the files in a folder below `wgsl`.
fn files(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    let mut files: Vec<String> = entries
        .filter(|entry| entry.file_type().unwrap().is_file())
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect();
    files.sort();
    files
}

#[test]
fn every_file_has_one_row_and_every_row_its_file() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("wgsl");
    let shared: Vec<String> = files(&folder.join("shared"))
        .iter()
        .map(|file| std::fs::read_to_string(folder.join("shared").join(file)).unwrap())
        .collect();
    let mut rows: Vec<String> = KERNELS.iter().map(|kernel| format!("{}.wgsl", kernel.name)).collect();
    rows.sort();
    assert_eq!(rows, files(&folder));
    for kernel in KERNELS {
        let file = std::fs::read_to_string(folder.join(format!("{}.wgsl", kernel.name))).unwrap();
        let before = kernel.wgsl.strip_suffix(file.as_str());
        let before = before.unwrap_or_else(|| panic!("{} includes another kernel's file", kernel.name));
        assert!(
            before.is_empty() || shared.iter().any(|shared| shared == before),
            "{} begins with what is not one file of wgsl/shared",
            kernel.name
        );
    }
}

#[test]
fn every_row_says_what_its_wgsl_says() {
    for kernel in KERNELS {
        let module = parse(kernel);
        let [entry] = &module.entry_points[..] else { panic!("{} has not one entry point", kernel.name) };
        assert_eq!(entry.name, ENTRY_POINT, "{}", kernel.name);
        assert_eq!(entry.workgroup_size, kernel.workgroup, "{}", kernel.name);

        let mut bindings: Vec<_> = module
            .global_variables
            .iter()
            .filter_map(|(_, global)| Some((global.binding.as_ref()?, global)))
            .map(|(binding, global)| {
                assert_eq!(binding.group, 0, "{}", kernel.name);
                (binding.binding as usize, global.name.clone().unwrap(), access(&module, global))
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

fn access(module: &Module, global: &GlobalVariable) -> Access {
    match global.space {
        AddressSpace::Uniform => Access::Uniform,
        AddressSpace::Storage { access } if access.contains(StorageAccess::STORE) => Access::ReadWrite,
        AddressSpace::Storage { .. } => Access::Read,
        AddressSpace::Handle => handle(&module.types[global.ty].inner),
        other => panic!("{other:?} is not bound"),
    }
}

fn handle(ty: &TypeInner) -> Access {
    let TypeInner::Image { dim, class, .. } = ty else {
        assert!(matches!(ty, TypeInner::Sampler { comparison: false }), "{ty:?} is not bound");
        return Access::Sampler;
    };
    match class {
        ImageClass::Sampled { .. } if *dim == ImageDimension::D3 => Access::Sampled3d,
        other => panic!("{other:?} is not bound"),
    }
}

/// Name, size and (field, offset)s of a structure on this side.
type Layout = (&'static str, usize, Vec<(&'static str, usize)>);

macro_rules! layout {
    ($wgsl:literal, $host:ty, $($field:ident),+) => {
        ($wgsl, size_of::<$host>(), vec![$((stringify!($field), offset_of!($host, $field))),+])
    };
}

fn perfusion_layouts() -> Vec<Layout> {
    vec![
        layout!(
            "Slab",
            SlabUniform,
            columns,
            rows,
            slices,
            passes,
            samples,
            baseline_samples,
            frame,
            slab_first,
            slab_slices,
            turn_first,
            turn_slices,
            slice_stride
        ),
        layout!("Place", Place, x, y, z, moved),
        layout!("Tap", Tap, pass_number, weight),
        layout!("Line", Line, columns, rows, values, down, reach),
        layout!("Component", Component, frequency, re, im, bend),
        layout!(
            "Deconvolution",
            Deconvolution,
            count,
            first,
            capacity,
            listed,
            turn_voxels,
            slice_len,
            passes,
            samples,
            baseline_samples,
            components,
            minimum_components,
            oscillation_max,
            step_s,
            cbf_scale,
            cbv_scale,
            arrival,
            iterations
        ),
        layout!("Softening", Softening, values, stride, count),
        layout!(
            "Halving",
            Halving,
            values,
            columns,
            rows,
            slices,
            from_columns,
            from_rows,
            from_slices,
            across,
            down,
            deep
        ),
        layout!("LevelUniform", LevelUniform, columns, rows, slices, points, groups),
        layout!("Point", Point, mm, hu, slopes),
        layout!("Placed", Placed, x, y, z, usual_hu, pass_number),
    ]
}

fn calcium_layouts() -> Vec<Layout> {
    vec![
        layout!(
            "Turn",
            TurnUniform,
            words_per_row,
            rows,
            first_word,
            words,
            threshold_hu,
            minimum_pixels,
            node_capacity,
            record_capacity,
            lesion_capacity
        ),
        layout!("Counts", Counts, nodes, records, lesions, fragments),
        layout!("NodeCounts", Counts, nodes, records, lesions, fragments),
        layout!("RecordCounts", Counts, nodes, records, lesions, fragments),
        layout!("LesionCounts", Counts, nodes, records, lesions, fragments),
        layout!("Record", Record, first, pixels, peak_over, low_sum, high_sum),
        layout!("Sums", Record, first, pixels, peak_over, low_sum, high_sum),
    ]
}

fn picture_layouts() -> Vec<Layout> {
    vec![
        layout!(
            "Frame",
            Frame,
            origin,
            origin_right,
            origin_down,
            toward,
            toward_right,
            toward_down,
            voxel_from_mm,
            low,
            high,
            plane,
            light,
            halfway,
            dimensions,
            cells,
            width,
            height,
            mode,
            shaded,
            jittered,
            labelled,
            near,
            step_mm,
            table_low,
            table_per_value,
            table_last,
            surface_per_mm,
            window_low,
            window_per_value,
            texel_scale,
            texel_offset
        ),
        layout!("Cut", CutUniform, dimensions, columns, rows, samples, projection),
        layout!("Row", VoxelRow, start, across, through),
        layout!("Stripe", Stripe, row, quads, layers),
    ]
}

fn structures_layouts() -> Vec<Layout> {
    vec![layout!(
        "StructuresTurn",
        StructuresTurn,
        columns,
        rows,
        slices,
        row_words,
        first_slice,
        before,
        cell_columns,
        cell_rows,
        layers,
        across,
        down,
        depth
    )]
}

#[test]
fn every_structure_has_the_same_layout_on_both_sides() {
    let layouts = [calcium_layouts(), perfusion_layouts(), picture_layouts(), structures_layouts()].concat();
    let mut unseen: Vec<&str> = layouts.iter().map(|(name, ..)| *name).collect();
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
            unseen.retain(|unseen| unseen != name);
        }
    }
    assert!(unseen.is_empty(), "no kernel has {unseen:?} any more");
}
