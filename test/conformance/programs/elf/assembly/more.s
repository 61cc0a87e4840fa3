	.text
	.globl	add3
	.type	add3, @function
add3:	lea	(%rdi,%rsi), %rax
	add	%rdx, %rax
	ret
	.size	add3, .-add3
	.globl	back
	.type	back, @function
back:	sub	$8, %rsp
	call	helper@PLT
	add	$8, %rsp
	inc	%eax
	ret
	.size	back, .-back
	.section	.rodata
	.globl	table
	.type	table, @object
table:	.long	1, 2, 30, 4
	.size	table, .-table
	.section	.note.GNU-stack,"",@progbits
