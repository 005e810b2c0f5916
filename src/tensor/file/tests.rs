//! Round trips, foreign files, and files that lie.

use super::*;
use crate::tensor::Precision;

/// A folder that goes when the test ends.
struct Folder(std::path::PathBuf);
impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("ansatz-file-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
    fn with(&self, name: &str, bytes: &[u8]) -> std::path::PathBuf {
        let path = self.0.join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }
}
impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn npy_bytes(header: &str, data: &[u8]) -> Vec<u8> {
    let mut out = b"\x93NUMPY\x01\x00".to_vec();
    out.extend((header.len() as u16).to_le_bytes());
    out.extend(header.as_bytes());
    out.extend(data);
    out
}
fn header(descr: &str, fortran: &str, shape: &str) -> String {
    format!("{{'descr': '{descr}', 'fortran_order': {fortran}, 'shape': {shape}, }}\n")
}
fn example(precision: Precision, shape: &[usize]) -> Tensor {
    let count: usize = shape.iter().product();
    Tensor::new(&Context::cpu(precision), (0..count).map(|i| i as f64 / 3.0 - 1.0).collect(), shape).unwrap()
}
fn same(a: &Tensor, b: &Tensor) {
    assert_eq!((a.shape(), a.precision(), a.to_vec().unwrap()), (b.shape(), b.precision(), b.to_vec().unwrap()));
}

#[test]
fn round_trips() {
    let folder = Folder::new("round");
    for precision in [Precision::F32, Precision::F64] {
        let c = Context::cpu(precision);
        let mut all = Vec::new();
        for shape in [vec![], vec![1], vec![3, 4], vec![0, 2], vec![2, 3, 4, 5]] {
            let t = example(precision, &shape);
            let path = folder.0.join("a.npy");
            save_npy(&Array::Real(t.clone()), &path).unwrap();
            same(&load_npy(&c, &path).unwrap(), &t);
            all.push((format!("layer.{}", all.len()), t));
        }
        all.push(("strided".into(), example(precision, &[3, 4]).swap(0, 1).unwrap()));
        all.push(("other".into(), example(Precision::F64, &[3])));
        let path = folder.0.join("a.npz");
        let arrays: Vec<_> = all.iter().map(|(n, t)| (n.clone(), Array::Real(t.clone()))).collect();
        save_npz(&arrays, &path).unwrap();
        let back = load_npz(&c, &path).unwrap();
        assert_eq!(back.len(), all.len());
        same(&back["strided"], &all[5].1);
        let path = folder.0.join("a.safetensors");
        let text: BTreeMap<String, String> = [("b".to_string(), "1".to_string()), ("a".into(), "\"é\"".into())].into();
        all.remove(0);
        save_safetensors(&all, &text, &path).unwrap();
        let first = std::fs::read(&path).unwrap();
        let (back, again) = load_safetensors(&c, &path).unwrap();
        assert_eq!(again, text);
        assert!(back.windows(2).all(|w| w[0].0 < w[1].0));
        for (name, tensor) in &back {
            same(tensor, &all.iter().rev().find(|(n, _)| n == name).unwrap().1);
        }
        save_safetensors(&back, &again, &path).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), first);
    }
    let t = example(Precision::F32, &[2]);
    let twice = [("a".to_string(), t.clone()), ("a".to_string(), t.clone())];
    assert!(save_npz(&twice, folder.0.join("b")).is_err());
    assert!(save_safetensors(&twice, &BTreeMap::new(), folder.0.join("b")).is_err());
    assert!(save_safetensors(&[("__metadata__".to_string(), t)], &BTreeMap::new(), folder.0.join("b")).is_err());
}

#[test]
fn every_type_of_number() {
    let folder = Folder::new("types");
    let c = Context::cpu(Precision::F64);
    let cases: [(&str, Vec<u8>, [f64; 2]); 14] = [
        ("<f8", [1.5f64.to_le_bytes(), (-2.0f64).to_le_bytes()].concat(), [1.5, -2.0]),
        (">f8", [1.5f64.to_be_bytes(), (-2.0f64).to_be_bytes()].concat(), [1.5, -2.0]),
        ("<f4", [1.5f32.to_le_bytes(), (-2.0f32).to_le_bytes()].concat(), [1.5, -2.0]),
        (">f4", [1.5f32.to_be_bytes(), (-2.0f32).to_be_bytes()].concat(), [1.5, -2.0]),
        ("<f2", vec![0x00, 0x3c, 0x01, 0x80], [1.0, -5.960464477539063e-8]),
        ("|b1", vec![0, 1], [0.0, 1.0]),
        ("|i1", vec![255, 1], [-1.0, 1.0]),
        ("|u1", vec![255, 1], [255.0, 1.0]),
        ("<i2", vec![254, 255, 0, 1], [-2.0, 256.0]),
        (">u2", vec![254, 255, 0, 1], [65279.0, 1.0]),
        ("<i4", [(-7i32).to_le_bytes(), 9i32.to_le_bytes()].concat(), [-7.0, 9.0]),
        (">i8", [(-7i64).to_be_bytes(), 9i64.to_be_bytes()].concat(), [-7.0, 9.0]),
        ("<u4", [7u32.to_le_bytes(), u32::MAX.to_le_bytes()].concat(), [7.0, u32::MAX as f64]),
        ("<u8", [7u64.to_le_bytes(), (1u64 << 50).to_le_bytes()].concat(), [7.0, (1u64 << 50) as f64]),
    ];
    for (descr, data, expected) in cases {
        let path = folder.with("a.npy", &npy_bytes(&header(descr, "False", "(2,)"), &data));
        assert_eq!(load_npy(&c, &path).unwrap().to_vec().unwrap(), expected, "{descr}");
    }
    let data: Vec<u8> = (0..6).collect();
    let path = folder.with("a.npy", &npy_bytes(&header("|u1", "True", "(2, 3)"), &data));
    let t = load_npy(&Context::cpu(Precision::F32), &path).unwrap();
    assert_eq!((t.shape(), t.precision()), (vec![2, 3], Precision::F32));
    assert_eq!(t.to_vec().unwrap(), [0.0, 2.0, 4.0, 1.0, 3.0, 5.0]);
}

#[test]
fn compressed_archives_and_foreign_entries() {
    use std::io::Write;
    let folder = Folder::new("deflate");
    let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Deflated);
    let zeros = npy_bytes(&header("<f8", "False", "(1000, 100)"), &vec![0; 800_000]);
    for (name, bytes) in [("zeros.npy", &zeros[..]), ("readme.txt", b"text")] {
        archive.start_file(name, options).unwrap();
        archive.write_all(bytes).unwrap();
    }
    let bytes = archive.finish().unwrap().into_inner();
    assert!(bytes.len() < 20_000);
    let path = folder.with("a.npz", &bytes);
    let c = Context::cpu(Precision::F32);
    let arrays = load_npz(&c, &path).unwrap();
    assert_eq!(arrays.len(), 1);
    assert_eq!(arrays["zeros"].shape(), [1000, 100]);
    drop(arrays);
    c.set_memory_limit(1 << 20);
    assert_eq!(load_npz(&c, &path).unwrap_err().kind(), crate::error::Kind::Limit);
    // Every cut-off or altered archive is an error or a smaller archive, never a panic.
    for cut in (0..bytes.len()).step_by(7) {
        let _ = load_npz(&c, folder.with("cut.npz", &bytes[..cut]));
        let mut altered = bytes.clone();
        altered[cut] ^= 0xFF;
        let _ = load_npz(&c, folder.with("cut.npz", &altered));
    }
}

#[test]
fn files_that_lie_are_refused() {
    let folder = Folder::new("hostile");
    let c = Context::cpu(Precision::F32);
    c.set_memory_limit(1 << 30);
    let huge = u64::MAX.to_string();
    let shapes = [
        "(1000000000000,)",
        "(4294967296, 4294967296, 4294967296)",
        "(3,)",
        "(-1,)",
        "(2.5,)",
        "3",
        "(",
        "((1,),)",
        "(1,,)",
    ];
    for shape in shapes.into_iter().chain([format!("({huge},)").as_str(), "(99999999999999999999999,)"]) {
        let path = folder.with("a.npy", &npy_bytes(&header("<f8", "False", shape), &[0; 16]));
        assert!(load_npy(&c, &path).is_err(), "{shape}");
    }
    for descr in ["<c16", "|O", "<U5", "<f16", "<m8[ns]", "", "<", "é", "<f8é"] {
        let path = folder.with("a.npy", &npy_bytes(&header(descr, "False", "(1,)"), &[0; 16]));
        assert!(load_npy(&c, &path).is_err(), "{descr}");
    }
    let axes = format!("({})", "1,".repeat(100));
    let path = folder.with("a.npy", &npy_bytes(&header("<f8", "False", &axes), &[0; 16]));
    assert!(load_npy(&c, &path).is_err());
    let good = npy_bytes(&header("<f8", "False", "(2,)"), &[0; 16]);
    let safe = safe::write(&[("a".to_string(), example(Precision::F32, &[3, 2]))], &BTreeMap::new()).unwrap();
    for cut in 0..good.len() {
        assert!(load_npy(&c, folder.with("cut", &good[..cut])).is_err());
    }
    for cut in 0..safe.len() {
        assert!(load_safetensors(&c, folder.with("cut", &safe[..cut])).is_err());
        let mut altered = safe.clone();
        altered[cut] ^= 0x55;
        let _ = load_safetensors(&c, folder.with("cut", &altered));
    }
    for header in [
        r#"{"a":{"dtype":"F32","shape":[1000000000000],"data_offsets":[0,4]}}"#,
        r#"{"a":{"dtype":"F32","shape":[18446744073709551615,18446744073709551615],"data_offsets":[0,4]}}"#,
        r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}}"#,
        r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,400]}}"#,
        r#"{"a":{"dtype":"X","shape":[1],"data_offsets":[0,4]}}"#,
    ] {
        let bytes = [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &[0; 4]].concat();
        assert!(load_safetensors(&c, folder.with("a", &bytes)).is_err(), "{header}");
    }
    for path in [folder.0.join("missing"), folder.0.clone(), "/dev/zero".into()] {
        assert!(load_npy(&c, &path).is_err());
        assert!(load_npz(&c, &path).is_err());
        assert!(load_safetensors(&c, &path).is_err());
    }
    c.set_memory_limit(c.live_bytes() + 8);
    assert_eq!(load_npy(&c, folder.with("a", &good)).unwrap_err().kind(), crate::error::Kind::Limit);
    assert_eq!(load_safetensors(&c, folder.with("a", &safe)).unwrap_err().kind(), crate::error::Kind::Limit);
}
