# Sourced before a build with `--features cuda` on a machine that cannot download LLVM:
#
#     source tools/cuda/env.sh && cargo build --release --features cuda
#
# The CUDA backend of Burn 0.22 has two generators of device code: CUDA C++, which NVRTC compiles when a kernel is first
# needed, and LLVM. The feature `cuda` takes the first one (`cubecl-cuda/cpp`), but the second one is compiled too, and the
# build script of its bundle downloads a prebuilt LLVM. With DOCS_RS set it leaves that out. The program then lacks the
# functions of LLVM that code which never runs refers to: this file makes a small library in which each of them
# says its name and aborts, and hands it to the linker. At run time the program wants the NVIDIA driver and NVRTC only.
#
# `llvm-symbols.txt` belongs to burn 0.22.1 and cubecl 0.11.3. After an upgrade, link with
# `-Wl,--unresolved-symbols=ignore-all` and list what is missing: nm -u PROGRAM | grep -iE 'llvm|cubecl'
_here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
_made=${TMPDIR:-/tmp}/ansatz-cuda-$(id -u)
mkdir -p "$_made"
{
    printf '#include <stdio.h>\n#include <stdlib.h>\n'
    while read -r _name; do
        printf 'void %s(void) { fputs("%s: this program was built without LLVM\\n", stderr); abort(); }\n' "$_name" "$_name"
    done < "$_here/llvm-symbols.txt"
} > "$_made/absent.c"
# An archive that is there already with the same text stays as it is: cargo would link again.
if ! cmp -s "$_made/absent.c" "$_made/absent.made.c"; then
    "${CC:-cc}" -c -O1 "$_made/absent.c" -o "$_made/absent.o"
    rm -f "$_made/libabsent.a"
    ar rcs "$_made/libabsent.a" "$_made/absent.o"
    cp "$_made/absent.c" "$_made/absent.made.c"
fi
export DOCS_RS=1
case " ${RUSTFLAGS:-} " in
    *" link-arg=$_made/libabsent.a "*) ;;
    *) export RUSTFLAGS="${RUSTFLAGS:+$RUSTFLAGS }-C link-arg=$_made/libabsent.a" ;;
esac
unset _here _made _name
