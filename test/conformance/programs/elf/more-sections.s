# More sections than a symbol's index has bits for.
	.altmacro
	.macro one n
	.section .data.s\n,"aw",@progbits
	.byte 1
	.endm
	.set count, 0
	.rept 66000
	one %count
	.set count, count + 1
	.endr
	.section .text.far,"ax",@progbits
	.type far, @function
far:
	leaq .Lwords(%rip), %rdi
	jmp puts@PLT
	.size far, . - far
	.section .rodata.far,"a",@progbits
.Lwords:
	.string "far"
	.section .text.main,"ax",@progbits
	.globl main
	.type main, @function
main:
	subq $8, %rsp
	call far
	xorl %eax, %eax
	addq $8, %rsp
	ret
	.size main, . - main
	.section .note.GNU-stack,"",@progbits
