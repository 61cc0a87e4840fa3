# Symbols that are numbers.
	.globl number
	.set number, 42
	.globl far
	.set far, 0x123456789abcdef
	.section .data.rel,"aw",@progbits
	.p2align 3
words:
	.quad number
	.quad far + 1
	.section .text.main,"ax",@progbits
	.globl main
	.type main, @function
main:
	subq $8, %rsp
	leaq .Lformat(%rip), %rdi
	movq words(%rip), %rsi
	movq words+8(%rip), %rdx
	movabsq $far, %rcx
	movq number@GOTPCREL(%rip), %r8
	xorl %eax, %eax
	call printf@PLT
	xorl %eax, %eax
	addq $8, %rsp
	ret
	.size main, . - main
	.section .rodata.str1.1,"aMS",@progbits,1
.Lformat:
	.string "%lx %lx %lx %lx\n"
	.section .note.GNU-stack,"",@progbits
