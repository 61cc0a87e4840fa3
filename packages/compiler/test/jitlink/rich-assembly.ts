/** An object with something of nearly all that the linker knows: unwind tables, groups, merged strings, GOT and PLT. */
export const RICH_ASSEMBLY = `
  .text
  .globl f
  .type f, @function
  f: .cfi_startproc
  .cfi_personality 0x9b, DW.ref.person
  .cfi_lsda 0x1b, table
  call g@PLT
  mov x@GOTPCREL(%rip), %rax
  lea text(%rip), %rdi
  movsd half(%rip), %xmm0
  .cfi_endproc
  .size f, .-f
  .section .text.w,"axG",@progbits,w,comdat
  .weak w
  w: .cfi_startproc
  ret
  .cfi_endproc
  .section .gcc_except_table,"a"
  table: .byte 0xff
  .section .rodata.str1.1,"aMS",@progbits,1
  .string "first"
  text: .string "second"
  .section .rodata.cst8,"aM",@progbits,8
  .quad 1
  half: .quad 0x3fe0000000000000
  .data
  .hidden DW.ref.person
  DW.ref.person: .quad person
  .globl d
  d: .quad f, w, text, f@SIZE
  .section .init_array,"aw"
  .quad f
  .comm shared, 16, 8
  .local private
  .comm private, 8, 8
  .globl fixed
  .set fixed, 0x1234
  .bss
  .skip 100
  .section .debug_info
  .quad f
`;
