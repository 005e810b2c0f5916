//! Instructions of AVX2 and AVX-512.
//!
//! A function has one loop over whole vectors and, behind it, its body once more for the rest, with lanes that are masked. What is read once
//! is an operand in memory; with AVX-512 so are numbers that are the same everywhere.
//!
//! | register | holds |
//! |---|---|
//! | `rdi`, `rsi` | the tables of arrays and of numbers |
//! | `rdx` | where the last whole vector begins, then the end, in bytes |
//! | `rax` | the place, in bytes |
//! | `rcx` | the mask of the rest, or where it lies |
//! | `rbx`, `r8` … `r14` | the first arrays |
//! | `r15` | an array that has no register |

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use iced_x86::{Code as Op, Encoder, IcedError, Instruction, MemoryOperand, Register};

use super::function::{Function, Operation, Stream, Value};
use super::memory::Code;
use super::registers::Registers;
use crate::native::simd::{Level, level};

/// Registers of arrays.
const ARRAYS: [Register; 8] = [
    Register::RBX,
    Register::R8,
    Register::R9,
    Register::R10,
    Register::R11,
    Register::R12,
    Register::R13,
    Register::R14,
];
/// Instructions that no cache would hold.
const LONGEST: usize = 1 << 16;

/// Functions whose code is kept: solutions of an equation on a grid have the same ones.
const MOST: usize = 1024;

/// What code was made for: operations, what is stored, bytes of a number, and whether vectors are wide.
type Key = (Vec<Operation>, Vec<(Stream, Value)>, usize, bool);

/// The machine code of a function for numbers of the type `T`; `None` where there is none.
pub fn compile<T>(function: &Function) -> Option<Arc<Code>> {
    static KNOWN: Mutex<Option<HashMap<Key, Arc<Code>>>> = Mutex::new(None);

    let wide = match level() {
        Level::Portable => return None,
        level => level == Level::Avx512,
    };
    if function.operations().len() > LONGEST || !super::memory::is_allowed() {
        return None;
    }
    let key = (function.operations().to_vec(), function.stores().to_vec(), size_of::<T>(), wide);
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    let known = known.get_or_insert_default();
    if let Some(code) = known.get(&key) {
        return Some(code.clone());
    }
    let code = Arc::new(Code::new(&Writer::new(size_of::<T>() == 8, wide, function)?.whole()?, wide)?);
    if known.len() >= MOST {
        known.clear();
    }
    known.insert(key, code.clone());
    Some(code)
}

/// What has a single and a double form, and one of 32 and of 64 bytes.
struct Kinds {
    load: Op,
    store: Op,
    masked_load: Op,
    masked_store: Op,
    same: Op,
    add: Op,
    sub: Op,
    mul: Op,
    div: Op,
    sqrt: Op,
    left: Op,
    right: Op,
}

/// AVX2 for singles and doubles, then AVX-512.
const KINDS: [Kinds; 4] = [
    Kinds {
        load: Op::VEX_Vmovups_ymm_ymmm256,
        store: Op::VEX_Vmovups_ymmm256_ymm,
        masked_load: Op::VEX_Vmaskmovps_ymm_ymm_m256,
        masked_store: Op::VEX_Vmaskmovps_m256_ymm_ymm,
        same: Op::VEX_Vbroadcastss_ymm_m32,
        add: Op::VEX_Vaddps_ymm_ymm_ymmm256,
        sub: Op::VEX_Vsubps_ymm_ymm_ymmm256,
        mul: Op::VEX_Vmulps_ymm_ymm_ymmm256,
        div: Op::VEX_Vdivps_ymm_ymm_ymmm256,
        sqrt: Op::VEX_Vsqrtps_ymm_ymmm256,
        left: Op::VEX_Vpslld_ymm_ymm_imm8,
        right: Op::VEX_Vpsrld_ymm_ymm_imm8,
    },
    Kinds {
        load: Op::VEX_Vmovupd_ymm_ymmm256,
        store: Op::VEX_Vmovupd_ymmm256_ymm,
        masked_load: Op::VEX_Vmaskmovpd_ymm_ymm_m256,
        masked_store: Op::VEX_Vmaskmovpd_m256_ymm_ymm,
        same: Op::VEX_Vbroadcastsd_ymm_m64,
        add: Op::VEX_Vaddpd_ymm_ymm_ymmm256,
        sub: Op::VEX_Vsubpd_ymm_ymm_ymmm256,
        mul: Op::VEX_Vmulpd_ymm_ymm_ymmm256,
        div: Op::VEX_Vdivpd_ymm_ymm_ymmm256,
        sqrt: Op::VEX_Vsqrtpd_ymm_ymmm256,
        left: Op::VEX_Vpsllq_ymm_ymm_imm8,
        right: Op::VEX_Vpsrlq_ymm_ymm_imm8,
    },
    Kinds {
        load: Op::EVEX_Vmovups_zmm_k1z_zmmm512,
        store: Op::EVEX_Vmovups_zmmm512_k1z_zmm,
        masked_load: Op::EVEX_Vmovups_zmm_k1z_zmmm512,
        masked_store: Op::EVEX_Vmovups_zmmm512_k1z_zmm,
        same: Op::EVEX_Vbroadcastss_zmm_k1z_xmmm32,
        add: Op::EVEX_Vaddps_zmm_k1z_zmm_zmmm512b32_er,
        sub: Op::EVEX_Vsubps_zmm_k1z_zmm_zmmm512b32_er,
        mul: Op::EVEX_Vmulps_zmm_k1z_zmm_zmmm512b32_er,
        div: Op::EVEX_Vdivps_zmm_k1z_zmm_zmmm512b32_er,
        sqrt: Op::EVEX_Vsqrtps_zmm_k1z_zmmm512b32_er,
        left: Op::EVEX_Vpslld_zmm_k1z_zmmm512b32_imm8,
        right: Op::EVEX_Vpsrld_zmm_k1z_zmmm512b32_imm8,
    },
    Kinds {
        load: Op::EVEX_Vmovupd_zmm_k1z_zmmm512,
        store: Op::EVEX_Vmovupd_zmmm512_k1z_zmm,
        masked_load: Op::EVEX_Vmovupd_zmm_k1z_zmmm512,
        masked_store: Op::EVEX_Vmovupd_zmmm512_k1z_zmm,
        same: Op::EVEX_Vbroadcastsd_zmm_k1z_xmmm64,
        add: Op::EVEX_Vaddpd_zmm_k1z_zmm_zmmm512b64_er,
        sub: Op::EVEX_Vsubpd_zmm_k1z_zmm_zmmm512b64_er,
        mul: Op::EVEX_Vmulpd_zmm_k1z_zmm_zmmm512b64_er,
        div: Op::EVEX_Vdivpd_zmm_k1z_zmm_zmmm512b64_er,
        sqrt: Op::EVEX_Vsqrtpd_zmm_k1z_zmmm512b64_er,
        left: Op::EVEX_Vpsllq_zmm_k1z_zmmm512b64_imm8,
        right: Op::EVEX_Vpsrlq_zmm_k1z_zmmm512b64_imm8,
    },
];

/// Where an operand is.
#[derive(Clone, Copy)]
enum Place {
    Register(Register),
    Memory(MemoryOperand),
}

struct Writer<'a> {
    code: Encoder,
    /// Bytes that were written.
    len: usize,
    function: &'a Function,
    kinds: &'static Kinds,
    wide: bool,
    bytes: usize,
    /// Bytes of a vector.
    vector: usize,
    /// Arrays by their slots: those with a register first in the order of how often they are read.
    arrays: Vec<usize>,
    masked: bool,
    /// Places on the stack.
    places: usize,
}

/// A number of 32 bits that is written later: the end of the instruction that has it.
#[derive(Clone, Copy)]
struct Later(usize);

/// Where the table has an array.
fn entry(slot: usize) -> MemoryOperand {
    MemoryOperand::with_base_displ(Register::RDI, 8 * slot as i64)
}

impl<'a> Writer<'a> {
    fn new(double: bool, wide: bool, function: &'a Function) -> Option<Self> {
        let mut uses = vec![0usize; function.slots()];
        function.streams().for_each(|stream| uses[stream.slot] += 1);
        let mut arrays: Vec<usize> = (0..uses.len()).collect();
        arrays.sort_by_key(|slot| std::cmp::Reverse(uses[*slot]));
        arrays.truncate(ARRAYS.len());
        Some(Self {
            code: Encoder::try_with_capacity(64, 4096).ok()?,
            len: 0,
            function,
            kinds: &KINDS[2 * usize::from(wide) + usize::from(double)],
            wide,
            bytes: if double { 8 } else { 4 },
            vector: if wide { 64 } else { 32 },
            arrays,
            masked: false,
            places: 0,
        })
    }
    /// The whole function.
    fn whole(mut self) -> Option<Vec<u8>> {
        use Register::{RAX, RCX, RDX, YMM15};
        let vector = self.vector as i32;
        let frame = self.begin()?;
        self.add(Instruction::with2(Op::Sub_rm64_imm32, RDX, vector))?;
        self.add(Instruction::with2(Op::Cmp_r64_rm64, RAX, RDX))?;
        let short = self.jump(Op::Jg_rel32_64)?;
        let again = self.len;
        self.body()?;
        self.add(Instruction::with2(Op::Add_rm64_imm32, RAX, vector))?;
        self.add(Instruction::with2(Op::Cmp_r64_rm64, RAX, RDX))?;
        let back = self.jump(Op::Jle_rel32_64)?;
        let rest = self.len;
        self.add(Instruction::with2(Op::Add_rm64_imm32, RDX, vector))?;
        self.add(Instruction::with2(Op::Cmp_r64_rm64, RAX, RDX))?;
        let none = self.jump(Op::Jge_rel32_64)?;
        self.masked = true;
        if !self.wide {
            let mask = MemoryOperand::with_base(RCX);
            self.add(Instruction::with2(Op::VEX_Vmovups_ymm_ymmm256, YMM15, mask))?;
        }
        self.body()?;
        let done = self.len;
        self.end()?;
        let mut code = self.code.take_buffer();
        for (Later(at), to) in [(short, rest), (back, again), (none, done)] {
            code.get_mut(at - 4..at)?.copy_from_slice(&(to as i32 - at as i32).to_le_bytes());
        }
        // What the stack needs is known now.
        let bytes = (self.places * self.vector + 64) as i32;
        code.get_mut(frame.0 - 4..frame.0)?.copy_from_slice(&bytes.to_le_bytes());
        Some(code)
    }
    fn add(&mut self, instruction: Result<Instruction, IcedError>) -> Option<()> {
        self.len += self.code.encode(&instruction.ok()?, self.len as u64).ok()?;
        Some(())
    }
    /// A jump to a place that is written later.
    fn jump(&mut self, op: Op) -> Option<Later> {
        self.add(Instruction::with_branch(op, self.len as u64))?;
        Some(Later(self.len))
    }
    /// Ends with the place of the size of the stack.
    fn begin(&mut self) -> Option<Later> {
        use Register::{ECX, K1, R12, R13, R14, R15, RAX, RBP, RBX, RSP};
        self.add(Instruction::with1(Op::Push_r64, RBP))?;
        self.add(Instruction::with2(Op::Mov_r64_rm64, RBP, RSP))?;
        for register in [RBX, R12, R13, R14, R15] {
            self.add(Instruction::with1(Op::Push_r64, register))?;
        }
        self.add(Instruction::with2(Op::Sub_rm64_imm32, RSP, 0))?;
        let frame = Later(self.len);
        self.add(Instruction::with2(Op::And_rm64_imm8, RSP, -64))?;
        if self.wide {
            self.add(Instruction::with2(Op::VEX_Kmovd_kr_r32, K1, ECX))?;
        }
        for (slot, register) in self.arrays.clone().into_iter().zip(ARRAYS) {
            self.add(Instruction::with2(Op::Mov_r64_rm64, register, entry(slot)))?;
        }
        self.add(Instruction::with2(Op::Xor_r64_rm64, RAX, RAX))?;
        Some(frame)
    }
    fn end(&mut self) -> Option<()> {
        use Register::{R12, R13, R14, R15, RBP, RBX, RSP};
        let saved = MemoryOperand::with_base_displ(RBP, -40);
        self.add(Instruction::with2(Op::Lea_r64_m, RSP, saved))?;
        for register in [R15, R14, R13, R12, RBX, RBP] {
            self.add(Instruction::with1(Op::Pop_r64, register))?;
        }
        self.add(Ok(Instruction::with(Op::VEX_Vzeroupper)))?;
        self.add(Ok(Instruction::with(Op::Retnq)))
    }
    /// All operations at one vector of places.
    fn body(&mut self) -> Option<()> {
        let function = self.function;
        // One of AVX2's registers is the mask.
        let mut registers = Registers::new(if self.wide { 32 } else { 15 }, function);
        let mut stores: Vec<Vec<Stream>> = vec![Vec::new(); function.operations().len()];
        for (to, value) in function.stores() {
            stores[*value].push(*to);
        }
        for (at, operation) in function.operations().iter().enumerate() {
            if !matches!(operation, Operation::Load(_) | Operation::Number(_)) {
                self.operation(&mut registers, at, *operation)?;
            }
            if !stores[at].is_empty() {
                let register = self.in_register(&mut registers, at, at, &[])?;
                for to in &stores[at] {
                    self.store(register, *to)?;
                }
            }
            // A value that is only stored, or that was only read here.
            registers.give_back(at, at);
        }
        self.places = self.places.max(registers.places());
        Some(())
    }
    fn operation(&mut self, registers: &mut Registers, at: usize, operation: Operation) -> Option<()> {
        let kinds = self.kinds;
        let (kind, first, second) = match operation {
            Operation::Add(a, b) => (kinds.add, self.memory_last(registers, at, a, b), None),
            Operation::Mul(a, b) => (kinds.mul, self.memory_last(registers, at, a, b), None),
            Operation::Sub(a, b) => (kinds.sub, (a, b), None),
            Operation::Div(a, b) => (kinds.div, (a, b), None),
            Operation::Sqrt(a) => (kinds.sqrt, (a, a), Some(a)),
            Operation::Abs(a) => (kinds.left, (a, a), Some(a)),
            Operation::Load(_) | Operation::Number(_) => return Some(()),
        };
        let (a, b) = first;
        if second.is_some() {
            let from = self.in_register(registers, a, at, &[])?;
            registers.give_back(a, at);
            let to = self.result(registers, at, &[])?;
            return match operation {
                Operation::Sqrt(_) => self.add(Instruction::with2(kind, to, from)),
                _ => {
                    self.add(Instruction::with3(kind, to, from, 1u32))?;
                    self.add(Instruction::with3(kinds.right, to, to, 1u32))
                }
            };
        }
        let left = self.in_register(registers, a, at, &[])?;
        let right = if a == b { Place::Register(left) } else { self.operand(registers, b, at, left)? };
        registers.give_back(a, at);
        registers.give_back(b, at);
        let to = self.result(registers, at, &[])?;
        let mut instruction = match right {
            Place::Register(right) => Instruction::with3(kind, to, left, right).ok()?,
            Place::Memory(memory) => Instruction::with3(kind, to, left, memory).ok()?,
        };
        if self.masked && self.wide && matches!(right, Place::Memory(_)) {
            instruction.set_op_mask(Register::K1);
            instruction.set_zeroing_masking(true);
        }
        self.add(Ok(instruction))
    }
    /// Arguments whose order does not matter: one that can stay in memory last.
    fn memory_last(&self, registers: &Registers, at: usize, a: Value, b: Value) -> (Value, Value) {
        let stays = |value: Value| registers.of(value).is_none() && self.stays(registers, value, at);
        if stays(a) && !stays(b) { (b, a) } else { (a, b) }
    }
    /// Whether an operand is read from memory by the instruction itself: numbers that no other will read, and what is the same everywhere.
    fn stays(&self, registers: &Registers, value: Value, at: usize) -> bool {
        match self.function.operations()[value] {
            Operation::Load(_) => !registers.is_needed(value, at) && (self.wide || !self.masked),
            Operation::Number(_) => self.wide,
            _ => false,
        }
    }
    fn operand(&mut self, registers: &mut Registers, value: Value, at: usize, other: Register) -> Option<Place> {
        if registers.of(value).is_none() && self.stays(registers, value, at) {
            return Some(Place::Memory(match self.function.operations()[value] {
                Operation::Number(n) => self.number(n, true),
                Operation::Load(stream) => self.address(stream)?,
                _ => return None,
            }));
        }
        Some(Place::Register(self.in_register(registers, value, at, &[other])?))
    }
    /// The register of a value, which is read again where it has none.
    fn in_register(
        &mut self,
        registers: &mut Registers,
        value: Value,
        at: usize,
        kept: &[Register],
    ) -> Option<Register> {
        if let Some(register) = registers.of(value) {
            return Some(self.vector_register(register));
        }
        let saved = registers.saved(value);
        let to = self.taken(registers, value, at, kept)?;
        match (self.function.operations()[value], saved) {
            (Operation::Load(stream), _) => self.load(to, stream)?,
            (Operation::Number(n), _) => {
                let memory = self.number(n, false);
                self.add(Instruction::with2(self.kinds.same, to, memory))?;
            }
            (_, Some(place)) => {
                let memory = self.saved(place);
                self.add(Instruction::with2(self.kinds.load, to, memory))?;
            }
            _ => return None,
        }
        Some(to)
    }
    fn result(&mut self, registers: &mut Registers, at: usize, kept: &[Register]) -> Option<Register> {
        self.taken(registers, at, at, kept)
    }
    /// A register for a value; what was in it goes to the stack if it has to.
    fn taken(&mut self, registers: &mut Registers, value: Value, at: usize, kept: &[Register]) -> Option<Register> {
        let base = self.vector_register(0) as usize;
        let kept: Vec<usize> = kept.iter().map(|r| *r as usize - base).collect();
        let (register, save) = registers.take(value, at, &kept, self.function)?;
        let register = self.vector_register(register);
        if let Some(place) = save {
            let memory = self.saved(place);
            self.add(Instruction::with2(self.kinds.store, memory, register))?;
        }
        Some(register)
    }
    fn vector_register(&self, number: usize) -> Register {
        (if self.wide { Register::ZMM0 } else { Register::YMM0 }) + number as u32
    }
    fn number(&self, n: usize, operand: bool) -> MemoryOperand {
        let at = (n * self.bytes) as i64;
        MemoryOperand::new(Register::RSI, Register::None, 1, at, 8, operand && self.wide, Register::None)
    }
    fn saved(&self, place: usize) -> MemoryOperand {
        let at = (place * self.vector) as i64;
        MemoryOperand::new(Register::RSP, Register::None, 1, at, 8, false, Register::None)
    }
    /// Where numbers of an array are.
    fn address(&mut self, stream: Stream) -> Option<MemoryOperand> {
        let base = match self.arrays.iter().position(|slot| *slot == stream.slot) {
            Some(number) => ARRAYS[number],
            None => {
                self.add(Instruction::with2(Op::Mov_r64_rm64, Register::R15, entry(stream.slot)))?;
                Register::R15
            }
        };
        let at = stream.shift as i64 * self.bytes as i64;
        Some(MemoryOperand::new(base, Register::RAX, 1, at, 8, false, Register::None))
    }
    fn load(&mut self, to: Register, stream: Stream) -> Option<()> {
        let memory = self.address(stream)?;
        let instruction = match (self.masked, self.wide) {
            (false, _) => Instruction::with2(self.kinds.load, to, memory).ok()?,
            (true, false) => Instruction::with3(self.kinds.masked_load, to, Register::YMM15, memory).ok()?,
            (true, true) => {
                let mut instruction = Instruction::with2(self.kinds.masked_load, to, memory).ok()?;
                instruction.set_op_mask(Register::K1);
                instruction.set_zeroing_masking(true);
                instruction
            }
        };
        self.add(Ok(instruction))
    }
    fn store(&mut self, from: Register, stream: Stream) -> Option<()> {
        let memory = self.address(stream)?;
        let instruction = match (self.masked, self.wide) {
            (false, _) => Instruction::with2(self.kinds.store, memory, from).ok()?,
            (true, false) => Instruction::with3(self.kinds.masked_store, memory, Register::YMM15, from).ok()?,
            (true, true) => {
                let mut instruction = Instruction::with2(self.kinds.masked_store, memory, from).ok()?;
                instruction.set_op_mask(Register::K1);
                instruction
            }
        };
        self.add(Ok(instruction))
    }
}
