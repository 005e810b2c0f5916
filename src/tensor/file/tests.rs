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
    assert!(save_npz(&twice.clone().map(|(n, t)| (n, Array::Real(t))), folder.0.join("b")).is_err());
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
    for descr in ["<c32", "<c4", "|O", "<U5", "<f16", "<m8[ns]", "", "<", "é", "<f8é"] {
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

#[test]
fn complex_numbers_come_back() {
    let folder = Folder::new("complex");
    for (precision, descr) in [(Precision::F32, "<c8"), (Precision::F64, "<c16")] {
        let c = Context::cpu(precision);
        let z = Complex::new(example(precision, &[2, 3]), example(precision, &[3, 2]).swap(0, 1).unwrap()).unwrap();
        let path = folder.0.join("z.npy");
        save_npy(&Array::Complex(z.clone()), &path).unwrap();
        assert!(String::from_utf8_lossy(&std::fs::read(&path).unwrap()[..64]).contains(descr));
        assert!(load_npy(&c, &path).unwrap_err().to_string().contains("complex"));
        let Array::Complex(back) = read_npy(&c, &path).unwrap() else { panic!("not complex") };
        same(&back.re, &z.re);
        same(&back.im, &z.im);
        let archive = folder.0.join("z.npz");
        save_npz(&[("z".into(), Array::Complex(z.clone())), ("x".into(), Array::Real(z.re.clone()))], &archive)
            .unwrap();
        let all = read_npz(&c, &archive).unwrap();
        assert!(matches!((&all["z"], &all["x"]), (Array::Complex(_), Array::Real(_))));
    }
    // In Fortran's order and big-endian: [[1 + 2i, 5 + 6i], [3 + 4i, 7 + 8i]].
    let numbers: Vec<u8> = (1..=8).flat_map(|i| (i as f32).to_be_bytes()).collect();
    let path = folder.with("f.npy", &npy_bytes(&header(">c8", "True", "(2, 2)"), &numbers));
    let Array::Complex(z) = read_npy(&Context::cpu(Precision::F32), &path).unwrap() else { panic!("not complex") };
    assert_eq!((z.re.to_vec().unwrap(), z.im.to_vec().unwrap()), (vec![1., 5., 3., 7.], vec![2., 6., 4., 8.]));
    let cut = folder.with("cut.npy", &npy_bytes(&header("<c16", "False", "(2,)"), &[0; 16]));
    assert!(read_npy(&Context::cpu(Precision::F32), &cut).is_err());
}

#[test]
fn flipped_bits_in_an_archive_are_noticed() {
    let folder = Folder::new("flipped");
    let c = Context::cpu(Precision::F64);
    let path = folder.0.join("a.npz");
    let t = example(Precision::F64, &[5, 4]);
    save_npz(&[("a".into(), Array::Real(t.clone()))], &path).unwrap();
    let whole = std::fs::read(&path).unwrap();
    let numbers = whole.windows(8).position(|w| w == (-1f64).to_le_bytes()).unwrap();
    for at in numbers..numbers + 160 {
        let mut altered = whole.clone();
        altered[at] ^= 0x10;
        let error = load_npz(&c, folder.with("b.npz", &altered)).unwrap_err().to_string();
        assert!(error.contains("damaged"), "byte {at}: {error}");
    }
    same(&load_npz(&c, &path).unwrap()["a"], &t);
}
