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
  d: .quad f, w, text, d@SIZE
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

/** An object with every access to thread-local variables there is, and variables of every kind. */
export const THREAD_LOCAL_ASSEMBLY = `
  .text
  .globl f
  .type f, @function
  f: data16 lea x@tlsgd(%rip), %rdi
  .value 0x6666
  rex64 call __tls_get_addr@PLT
  .byte 0x66
  lea elsewhere@tlsgd(%rip), %rdi
  .byte 0x66
  rex64
  call *__tls_get_addr@GOTPCREL(%rip)
  lea y@tlsld(%rip), %rdi
  call __tls_get_addr@PLT
  lea y@dtpoff(%rax), %rcx
  lea y@tlsld(%rip), %rdi
  call *__tls_get_addr@GOTPCREL(%rip)
  movabs $y@dtpoff, %rdx
  mov x@gottpoff(%rip), %r13
  add elsewhere@gottpoff(%rip), %rsp
  add x@gottpoff(%rip), %r9
  lea x@tlsdesc(%rip), %rax
  call *x@tlscall(%rax)
  lea _TLS_MODULE_BASE_@tlsdesc(%rip), %rax
  call *_TLS_MODULE_BASE_@tlscall(%rax)
  mov %fs:z@tpoff, %rax
  movabs $shared@tpoff, %rdx
  .size f, .-f
  .section .tdata,"awT",@progbits
  .globl x
  .type x, @object
  .size x, 16
  x: .quad f, y@SIZE
  .type y, @object
  .size y, 8
  y: .quad 1
  .section .tdata.w,"awGT",@progbits,w,comdat
  .weak w
  .type w, @object
  w: .quad 5
  .section .tbss,"awT",@nobits
  .p2align 5
  .globl z
  .type z, @object
  z: .skip 48
  .tls_common shared, 16, 8
`;
