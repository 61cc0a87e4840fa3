/*
 * Stands in for JIT'd code: position-independent, copied whole into the code part. Every function that calls has
 * a frame pointer, so one unwind rule (CFA = rbp + 16) holds for all of it. Block offsets are struct call_c's.
 */

	.macro PAYLOAD name
	.globl	\name
	.balign	16, 0x90
\name:
	.endm

	.equ	CALL_C_BYTES, 112

	.section .rodata
	.globl	payload_start, payload_end
	.balign	16
payload_start:

/* void call_c(struct call_c *block) */
PAYLOAD call_c
	pushq	%rbp
	movq	%rsp, %rbp
	pushq	%rbx
	subq	$8, %rsp
	movq	%rdi, %rbx
	call	*80(%rbx)
	movl	88(%rbx), %ecx
	movl	%ecx, (%rax)
	movq	8(%rbx), %rdi
	movq	16(%rbx), %rsi
	movq	24(%rbx), %rdx
	movq	32(%rbx), %rcx
	movq	40(%rbx), %r8
	movq	48(%rbx), %r9
	movq	56(%rbx), %rax
	movsd	64(%rbx), %xmm0
	movsd	72(%rbx), %xmm1
	call	*(%rbx)
	.globl	call_c_return
call_c_return:
	movq	%rax, 96(%rbx)
	movsd	%xmm0, 104(%rbx)
	call	*80(%rbx)
	movslq	(%rax), %rcx
	movq	%rcx, 88(%rbx)
	addq	$8, %rsp
	popq	%rbx
	popq	%rbp
	ret

/* void call_two(struct call_c blocks[2]) */
PAYLOAD call_two
	pushq	%rbp
	movq	%rsp, %rbp
	pushq	%rdi
	subq	$8, %rsp
	call	call_c
	movq	-8(%rbp), %rdi
	addq	$CALL_C_BYTES, %rdi
	call	call_c
	.globl	call_two_return
call_two_return:
	leave
	ret

/* Runs call_c four frames down, with every preserved register and control word spoilt: only good for calls that
 * never return. */
PAYLOAD nest
	movl	$4, %esi
PAYLOAD nest_frame
	pushq	%rbp
	movq	%rsp, %rbp
	subq	$48, %rsp
	movl	$0x7fc0, (%rsp)		/* round towards zero, denormals are zero */
	ldmxcsr	(%rsp)
	movw	$0x0e7f, (%rsp)		/* round towards zero */
	fldcw	(%rsp)
	movq	$0x0bad0bad, %rbx
	movq	%rbx, %r12
	movq	%rbx, %r13
	movq	%rbx, %r14
	movq	%rbx, %r15
	decl	%esi
	jz	1f
	call	nest_frame
	ud2
1:	call	call_c
	ud2

/* int64_t add_one(int64_t): a landing. */
PAYLOAD add_one
	leaq	1(%rdi), %rax
	ret

/* uint64_t count_thread_local(int64_t distance from the thread pointer): a landing. */
PAYLOAD count_thread_local
	movq	%fs:(%rdi), %rax
	incq	%fs:(%rdi)
	ret

/* uint32_t read_mxcsr(void) */
PAYLOAD read_mxcsr
	stmxcsr	-8(%rsp)
	movl	-8(%rsp), %eax
	ret

/* int compare(const int64_t *, const int64_t *), for qsort */
PAYLOAD compare
	movq	(%rdi), %rax
	cmpq	(%rsi), %rax
	setg	%al
	setl	%cl
	subb	%cl, %al
	movsbl	%al, %eax
	ret

/* Blocks on a trampoline through the frame of a thread's start routine: start(trampoline address). */
PAYLOAD start_and_reenter
	pushq	%rbp
	movq	%rsp, %rbp
	movq	%rdi, %rax
	movq	$41, %rdi
	call	*%rax
	popq	%rbp
	ret

/* uint64_t prepare_and_reenter(struct { uint64_t function, argument, trampoline, value, times; } *): calls the function
 * with the argument and zero, then the trampoline with the value so many times; answers what it got last. */
PAYLOAD prepare_and_reenter
	pushq	%rbp
	movq	%rsp, %rbp
	pushq	%rdi
	pushq	32(%rdi)
	movq	%rdi, %rax
	movq	8(%rdi), %rdi
	xorl	%esi, %esi
	call	*(%rax)
1:	movq	-8(%rbp), %rax
	movq	24(%rax), %rdi
	call	*16(%rax)
	decq	-16(%rbp)
	jnz	1b
	leave
	.globl	prepare_and_reenter_end
prepare_and_reenter_end:
	ret

/* uint64_t note_arguments(three words): stores them in the area that the host has written the address of, and counts there. */
PAYLOAD note_arguments
	movq	note_arguments_area(%rip), %rax
	movq	%rdi, (%rax)
	movq	%rsi, 8(%rax)
	movq	%rdx, 16(%rax)
	incq	24(%rax)
	movl	$0x7e57, %eax
	ret
	.globl	note_arguments_area
	.balign	8
note_arguments_area:
	.quad	0

/* As what decides about exceptions in a frame: counts in the word that the host has written the address of, and has the frame
 * unwound. */
PAYLOAD note_unwound
	movq	note_unwound_count(%rip), %rax
	incq	(%rax)
	movl	$8, %eax		/* _URC_CONTINUE_UNWIND */
	ret
	.globl	note_unwound_count
	.balign	8
note_unwound_count:
	.quad	0

/* void destroy_again(struct { uint64_t set_specific, key, last, count; } *): sets the key to the structure again until it
 * was called `count` times, then calls `last`, which does not return. */
PAYLOAD destroy_again
	pushq	%rbp
	movq	%rsp, %rbp
	movq	%rdi, %rsi
	decq	24(%rsi)
	jz	1f
	movq	8(%rsi), %rdi
	call	*(%rsi)
	popq	%rbp
	ret
1:	call	*16(%rsi)
	ud2

/* Registers, control words and stack of a first call. The area behind a pointer:
 *    0 trampoline  8 level (1 AVX, 2 AVX-512F, 3 AVX-512BW)  16 stack pointer  24 return address
 *   32 mxcsr  40 result rax  48 result rdx
 *   64 rdi rsi rdx rcx r8 r9 rax r10 rbx r12 r13 r14 r15 rbp r11
 *  256 stack arguments, 8 words  320 k0-k7  384 zmm0-zmm31, 64 bytes each */
	.equ	AREA_TRAMPOLINE, 0
	.equ	AREA_LEVEL, 8
	.equ	AREA_STACK_POINTER, 16
	.equ	AREA_RETURN_ADDRESS, 24
	.equ	AREA_MXCSR, 32
	.equ	AREA_RESULT, 40
	.equ	AREA_GENERAL, 64
	.equ	AREA_STACK, 256
	.equ	AREA_MASK, 320
	.equ	AREA_VECTOR, 384

	.macro VECTORS instruction, register, count, direction
	.set	index, 0
	.rept	\count
	VECTOR	\instruction, \register, %index, \direction
	.set	index, index + 1
	.endr
	.endm
	.altmacro
	.macro VECTOR instruction, register, index, direction
	.ifc	\direction, load
	\instruction AREA_VECTOR + 64 * \index(%r11), %\register\index
	.else
	\instruction %\register\index, AREA_VECTOR + 64 * \index(%r11)
	.endif
	.endm
	.macro MASKS instruction, direction
	.irp	index, 0, 1, 2, 3, 4, 5, 6, 7
	.ifc	\direction, load
	\instruction AREA_MASK + 8 * \index(%r11), %k\index
	.else
	\instruction %k\index, AREA_MASK + 8 * \index(%r11)
	.endif
	.endr
	.endm
	.macro ALL_VECTORS direction
	cmpq	$1, AREA_LEVEL(%r11)
	jb	1f
	je	2f
	VECTORS	vmovdqu64, zmm, 32, \direction
	cmpq	$2, AREA_LEVEL(%r11)
	je	3f
	MASKS	kmovq, \direction
	jmp	4f
3:	MASKS	kmovw, \direction
	jmp	4f
2:	VECTORS	vmovdqu, ymm, 16, \direction
	jmp	4f
1:	VECTORS	movdqu, xmm, 16, \direction
4:
	.endm

/* void load_all(area *): loads every register from the area, calls area->trampoline, stores what came back. */
PAYLOAD load_all
	pushq	%rbp
	movq	%rsp, %rbp
	pushq	%rbx
	pushq	%r12
	pushq	%r13
	pushq	%r14
	pushq	%r15
	pushq	%rdi			/* -48(%rbp) */
	stmxcsr	-64(%rbp)
	subq	$16, %rsp
	movq	%rdi, %r11
	ldmxcsr	AREA_MXCSR(%r11)
	pushq	AREA_STACK + 56(%r11)
	pushq	AREA_STACK + 48(%r11)
	pushq	AREA_STACK + 40(%r11)
	pushq	AREA_STACK + 32(%r11)
	pushq	AREA_STACK + 24(%r11)
	pushq	AREA_STACK + 16(%r11)
	pushq	AREA_STACK + 8(%r11)
	pushq	AREA_STACK(%r11)
	movq	%rsp, AREA_STACK_POINTER(%r11)
	ALL_VECTORS load
	movq	AREA_GENERAL(%r11), %rdi
	movq	AREA_GENERAL + 8(%r11), %rsi
	movq	AREA_GENERAL + 16(%r11), %rdx
	movq	AREA_GENERAL + 24(%r11), %rcx
	movq	AREA_GENERAL + 32(%r11), %r8
	movq	AREA_GENERAL + 40(%r11), %r9
	movq	AREA_GENERAL + 48(%r11), %rax
	movq	AREA_GENERAL + 56(%r11), %r10
	movq	AREA_GENERAL + 64(%r11), %rbx
	movq	AREA_GENERAL + 72(%r11), %r12
	movq	AREA_GENERAL + 80(%r11), %r13
	movq	AREA_GENERAL + 88(%r11), %r14
	movq	AREA_GENERAL + 96(%r11), %r15
	movq	%rbp, AREA_GENERAL + 104(%r11)
	call	*AREA_TRAMPOLINE(%r11)
	.globl	load_all_return
load_all_return:
	movq	-48(%rbp), %r11
	movq	%rax, AREA_RESULT(%r11)
	movq	%rdx, AREA_RESULT + 8(%r11)
	ldmxcsr	-64(%rbp)
	leaq	-40(%rbp), %rsp
	popq	%r15
	popq	%r14
	popq	%r13
	popq	%r12
	popq	%rbx
	popq	%rbp
	ret

/* Address of the area that store_all fills; the host writes it. */
	.globl	store_all_area
	.balign	8
store_all_area:
	.quad	0

/* The landing: stores every register; as an sret function it writes through rdi and answers rdi. */
PAYLOAD store_all
	pushq	%r11
	movq	store_all_area(%rip), %r11
	movq	%rdi, AREA_GENERAL(%r11)
	movq	%rsi, AREA_GENERAL + 8(%r11)
	movq	%rdx, AREA_GENERAL + 16(%r11)
	movq	%rcx, AREA_GENERAL + 24(%r11)
	movq	%r8, AREA_GENERAL + 32(%r11)
	movq	%r9, AREA_GENERAL + 40(%r11)
	movq	%rax, AREA_GENERAL + 48(%r11)
	movq	%r10, AREA_GENERAL + 56(%r11)
	movq	%rbx, AREA_GENERAL + 64(%r11)
	movq	%r12, AREA_GENERAL + 72(%r11)
	movq	%r13, AREA_GENERAL + 80(%r11)
	movq	%r14, AREA_GENERAL + 88(%r11)
	movq	%r15, AREA_GENERAL + 96(%r11)
	movq	%rbp, AREA_GENERAL + 104(%r11)
	ALL_VECTORS store
	stmxcsr	AREA_MXCSR(%r11)
	popq	AREA_GENERAL + 112(%r11)
	movq	(%rsp), %rcx
	movq	%rcx, AREA_RETURN_ADDRESS(%r11)
	leaq	8(%rsp), %rcx
	movq	%rcx, AREA_STACK_POINTER(%r11)
	.irp	word, 0, 8, 16, 24, 32, 40, 48, 56
	movq	8 + \word(%rsp), %rcx
	movq	%rcx, AREA_STACK + \word(%r11)
	.endr
	movq	$0x5e7, (%rdi)
	movq	%rdi, %rax
	movq	$0x1234, %rdx
	ret

/* Traps. Each has a frame, so the first return address of a walk is its caller's. */
PAYLOAD trap_registers
	pushq	%rbp
	movq	%rsp, %rbp
	movq	$0x10, %rax
	movq	$0x11, %rdx
	movq	$0x12, %rcx
	movq	$0x13, %rbx
	movq	$0x14, %rsi
	movq	$0x15, %rdi
	movq	$0x18, %r8
	movq	$0x19, %r9
	movq	$0x1a, %r10
	movq	$0x1b, %r11
	movq	$0x1c, %r12
	movq	$0x1d, %r13
	movq	$0x1e, %r14
	movq	$0x1f, %r15
	.globl	trap_registers_at
trap_registers_at:
	ud2

PAYLOAD trap_segv
	pushq	%rbp
	movq	%rsp, %rbp
	movl	$0x1008, %eax
	.globl	trap_segv_at
trap_segv_at:
	movl	$1, (%rax)
	ud2

PAYLOAD trap_code_write
	pushq	%rbp
	movq	%rsp, %rbp
	leaq	payload_start(%rip), %rax
	.globl	trap_code_write_at
trap_code_write_at:
	movl	$1, (%rax)
	ud2

PAYLOAD trap_divide
	pushq	%rbp
	movq	%rsp, %rbp
	xorl	%ecx, %ecx
	xorl	%edx, %edx
	movl	$1, %eax
	.globl	trap_divide_at
trap_divide_at:
	idivl	%ecx
	ud2

/* trap_bus(an address behind the end of the mapped file) */
PAYLOAD trap_bus
	pushq	%rbp
	movq	%rsp, %rbp
	.globl	trap_bus_at
trap_bus_at:
	movl	(%rdi), %eax
	ud2

PAYLOAD trap_overflow
	pushq	%rbp
	movq	%rsp, %rbp
	subq	$512, %rsp
	call	trap_overflow
	.globl	trap_overflow_return
trap_overflow_return:
	ud2

PAYLOAD trap_own_caller
	pushq	%rbp
	movq	%rsp, %rbp
	movq	%rbp, (%rbp)
	ud2

PAYLOAD trap_call_null
	pushq	%rbp
	movq	%rsp, %rbp
	xorl	%eax, %eax
	call	*%rax
	.globl	trap_call_null_return
trap_call_null_return:
	ud2

/* getpid with the x32 bit: a foreign architecture to the filter. */
PAYLOAD x32_getpid
	movl	$(0x40000000 + 39), %eax
	syscall
	ret

payload_end:

	.section .note.GNU-stack, "", @progbits
