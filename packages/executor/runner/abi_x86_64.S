/*
 * x86-64 System V: the resolver, and the boundary between the runner's C and JIT'd code.
 *
 * Source of the register roles: System V Application Binary Interface, AMD64 Architecture Processor Supplement,
 * section 3.2; of the XSAVE area: Intel SDM volume 1, chapter 13.
 */

	.text

/*
 * farjit_resolver: reached by `callq *disp(%rip)` in a trampoline, itself reached by a call or a tail call
 * through a stub. On entry
 *
 *     0(%rsp)   return address into the trampoline block: names the trampoline
 *     8(%rsp)   return address of the real caller
 *    16(%rsp)   stack arguments, if any
 *
 * and every argument register is live: rdi rsi rdx rcx r8 r9, al (vector registers a varargs call uses), r10
 * (static chain), xmm/ymm/zmm0-7 and, for vector calls, the mask registers. So may all others be: gcc's -fipa-ra keeps
 * values in any register that a local function is known not to touch, r11 too. The trampoline's return address is
 * taken away at once and its place holds the frame pointer, so that this frame looks, to frame-pointer walks and
 * to the unwinder, as if the real caller had called the resolver.
 */
	.globl	farjit_resolver
	.hidden	farjit_resolver
	.type	farjit_resolver, @function
	.balign	16
farjit_resolver:
	.cfi_startproc
	.cfi_def_cfa_offset 16
	xchgq	%rbp, (%rsp)
	.cfi_offset %rbp, -16
	pushq	%rbp			/*  -8(%rbp): the trampoline, then where to land */
	.cfi_def_cfa_offset 24
	leaq	8(%rsp), %rbp
	.cfi_def_cfa %rbp, 16

	pushq	%rdi			/* -16(%rbp) */
	pushq	%rsi			/* -24(%rbp) */
	pushq	%rdx			/* -32(%rbp) */
	pushq	%rcx			/* -40(%rbp) */
	pushq	%r8			/* -48(%rbp) */
	pushq	%r9			/* -56(%rbp) */
	pushq	%rax			/* -64(%rbp) */
	pushq	%r10			/* -72(%rbp) */
	pushq	%r11			/* -80(%rbp) */

	subq	farjit_xsave_bytes(%rip), %rsp
	andq	$-64, %rsp

	movq	farjit_xsave_mask(%rip), %rax
	testq	%rax, %rax
	jz	1f
	/* XRSTOR faults on a header with stray bits, and XSAVE writes only the header's first word. */
	xorl	%ecx, %ecx
	movq	%rcx, 512(%rsp)
	movq	%rcx, 520(%rsp)
	movq	%rcx, 528(%rsp)
	movq	%rcx, 536(%rsp)
	movq	%rcx, 544(%rsp)
	movq	%rcx, 552(%rsp)
	movq	%rcx, 560(%rsp)
	movq	%rcx, 568(%rsp)
	movq	%rax, %rdx
	shrq	$32, %rdx
	xsave64	(%rsp)
	jmp	2f
1:	fxsave64 (%rsp)

2:	movq	-8(%rbp), %rdi
	call	farjit_reenter
	movq	%rax, -8(%rbp)

	movq	farjit_xsave_mask(%rip), %rax
	testq	%rax, %rax
	jz	3f
	movq	%rax, %rdx
	shrq	$32, %rdx
	xrstor64 (%rsp)
	jmp	4f
3:	fxrstor64 (%rsp)

4:	movq	-16(%rbp), %rdi
	movq	-24(%rbp), %rsi
	movq	-32(%rbp), %rdx
	movq	-40(%rbp), %rcx
	movq	-48(%rbp), %r8
	movq	-56(%rbp), %r9
	movq	-64(%rbp), %rax
	movq	-72(%rbp), %r10
	movq	-80(%rbp), %r11
	movq	%rbp, %rsp
	.cfi_def_cfa_register %rsp
	popq	%rbp
	.cfi_restore %rbp
	.cfi_def_cfa_offset 8
	/* The stack is what the real caller's call left. Below it, signals leave 128 bytes alone. */
	jmp	*-16(%rsp)
	.cfi_endproc
	.size	farjit_resolver, . - farjit_resolver

/*
 * int farjit_enter(struct farjit_boundary *boundary, farjit_entry *entry, void *argument)
 *
 *     0(%rsp) mxcsr, 4(%rsp) x87 control word, then r15 r14 r13 r12 rbx rbp and the return address
 *
 * rbp is zero when entry starts: frame-pointer walks end there.
 */
	.globl	farjit_enter
	.hidden	farjit_enter
	.type	farjit_enter, @function
	.balign	16
farjit_enter:
	.cfi_startproc
	pushq	%rbp
	.cfi_adjust_cfa_offset 8
	.cfi_offset %rbp, -16
	pushq	%rbx
	.cfi_adjust_cfa_offset 8
	.cfi_offset %rbx, -24
	pushq	%r12
	.cfi_adjust_cfa_offset 8
	.cfi_offset %r12, -32
	pushq	%r13
	.cfi_adjust_cfa_offset 8
	.cfi_offset %r13, -40
	pushq	%r14
	.cfi_adjust_cfa_offset 8
	.cfi_offset %r14, -48
	pushq	%r15
	.cfi_adjust_cfa_offset 8
	.cfi_offset %r15, -56
	subq	$8, %rsp
	.cfi_adjust_cfa_offset 8
	stmxcsr	(%rsp)
	fnstcw	4(%rsp)
	movq	%rsp, (%rdi)		/* boundary->stack_pointer */
	movq	%rdi, %rbx
	movq	%rdx, %rdi
	xorl	%ebp, %ebp
	call	*%rsi
	movq	%rax, 8(%rbx)		/* boundary->result */
	xorl	%eax, %eax
.Lenter_return:
	addq	$8, %rsp
	.cfi_adjust_cfa_offset -8
	popq	%r15
	.cfi_adjust_cfa_offset -8
	.cfi_restore %r15
	popq	%r14
	.cfi_adjust_cfa_offset -8
	.cfi_restore %r14
	popq	%r13
	.cfi_adjust_cfa_offset -8
	.cfi_restore %r13
	popq	%r12
	.cfi_adjust_cfa_offset -8
	.cfi_restore %r12
	popq	%rbx
	.cfi_adjust_cfa_offset -8
	.cfi_restore %rbx
	popq	%rbp
	.cfi_adjust_cfa_offset -8
	.cfi_restore %rbp
	ret
	.cfi_endproc
	.size	farjit_enter, . - farjit_enter

/*
 * void farjit_leave(const struct farjit_boundary *boundary): back into farjit_enter, with the control words that
 * a callee must preserve as they were when it was called.
 */
	.globl	farjit_leave
	.hidden	farjit_leave
	.type	farjit_leave, @function
	.balign	16
farjit_leave:
	.cfi_startproc
	movq	(%rdi), %rsp
	.cfi_def_cfa_offset 64
	.cfi_offset %rbp, -16
	.cfi_offset %rbx, -24
	.cfi_offset %r12, -32
	.cfi_offset %r13, -40
	.cfi_offset %r14, -48
	.cfi_offset %r15, -56
	cld
	fninit
	fldcw	4(%rsp)
	ldmxcsr	(%rsp)
	movl	$1, %eax
	jmp	.Lenter_return
	.cfi_endproc
	.size	farjit_leave, . - farjit_leave

	.section .note.GNU-stack, "", @progbits
